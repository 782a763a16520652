/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.kernel;

import ai.djl.ndarray.NDManager;

/** The module of all book-keeping kernels, from their text resources. */
public final class BookKeepingKernels {
  private BookKeepingKernels() {}

  /**
   * Compiles the kernels.
   *
   * @param manager a manager of the PyTorch engine; the module is released with it
   * @return the module
   */
  public static TorchScriptModule compile(NDManager manager) {
    return TorchScriptModule.compileResource(
        manager,
        "Kernels",
        BookKeepingKernels.class,
        "kernels.torchscript",
        "convolutions.torchscript",
        "normalisations.torchscript",
        "recurrent.torchscript",
        "samples.torchscript");
  }
}
