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

  /** Normalises (B, C, ...) over groups of channels. All under the current gradient mode. */
  NDArray groupNorm(NDArray x, NDArray gamma, NDArray beta, long groups, double epsilon) {
    try (NDArray g = number(x, (double) groups);
        NDArray e = number(x, epsilon)) {
      return module.runDifferentiable("group_norm", x, gamma, beta, g, e).singletonOrThrow();
    }
  }

  /** Divides (..., d) by the root mean square over the last axis. */
  NDArray rmsNorm(NDArray x, NDArray gamma, double epsilon) {
    try (NDArray e = number(x, epsilon)) {
      return module.runDifferentiable("rms_norm", x, gamma, e).singletonOrThrow();
    }
  }

  /** Normalises the channels of (B, C, ...) by given means and variances. */
  NDArray fixedNorm(
      NDArray x, NDArray gamma, NDArray beta, NDArray mean, NDArray variance, double epsilon) {
    try (NDArray e = number(x, epsilon)) {
      return module
          .runDifferentiable("fixed_norm", x, gamma, beta, mean, variance, e)
          .singletonOrThrow();
    }
  }

  private static NDArray number(NDArray beside, double value) {
    return beside.getManager().create(new double[] {value}).toDevice(Device.cpu(), false);
  }

  private static final class Holder {
    static final NormKernels INSTANCE = new NormKernels();
  }
}
