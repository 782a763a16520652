/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import java.util.List;

/** Gradients for tests of optimizers: any arrays, with neither clipping nor noise. */
public final class NoiselessGradient {
  private NoiselessGradient() {}

  /** Passes arrays off as a privatized gradient. */
  public static PrivatizedGradient of(List<Parameter> parameters, List<NDArray> gradients) {
    return new PrivatizedGradient(parameters, gradients, 0);
  }

  /** Passes arrays off as a privatized gradient with noise of a deviation. */
  public static PrivatizedGradient withNoise(
      List<Parameter> parameters, List<NDArray> gradients, double noiseDeviation) {
    return new PrivatizedGradient(parameters, gradients, noiseDeviation);
  }
}
