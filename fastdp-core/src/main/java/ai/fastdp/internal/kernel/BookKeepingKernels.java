/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.kernel;

import ai.djl.ndarray.NDManager;
import ai.fastdp.kernel.TorchScriptModule;

/**
 * The module of all book-keeping kernels, from their text resources.
 *
 * <p>Each resource has a class of typed methods that call its kernels: {@link GraphKernels}, {@link
 * MatrixKernels}, {@link ConvolutionKernels}, {@link VectorKernels}, {@link NormalisationKernels},
 * {@link RecurrentKernels} and {@link SumKernels}.
 */
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
        "graph.torchscript",
        "matrices.torchscript",
        "convolutions.torchscript",
        "vectors.torchscript",
        "normalisations.torchscript",
        "recurrent.torchscript",
        "sums.torchscript");
  }
}
