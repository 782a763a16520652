/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.nn;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.fastdp.kernel.TorchScriptModule;

/** PyTorch's normalisations that DJL's API does not reach, made on first use. */
final class NormKernels {
  private final TorchScriptModule module =
      TorchScriptModule.compileResource(
          NDManager.newBaseManager(Device.cpu(), "PyTorch"),
          "Norms",
          NormKernels.class,
          "norms.torchscript");

  private NormKernels() {}

  static NormKernels get() {
    return Holder.INSTANCE;
  }

  /** Normalises (B, C, ...) over groups of channels; under the current gradient mode. */
  NDArray groupNorm(NDArray x, NDArray gamma, NDArray beta, long groups, double epsilon) {
    NDManager manager = x.getManager();
    try (NDArray g = manager.create(groups).toDevice(Device.cpu(), false);
        NDArray e = manager.create(epsilon).toDevice(Device.cpu(), false)) {
      return module.runDifferentiable("group_norm", x, gamma, beta, g, e).singletonOrThrow();
    }
  }

  private static final class Holder {
    static final NormKernels INSTANCE = new NormKernels();
  }
}
