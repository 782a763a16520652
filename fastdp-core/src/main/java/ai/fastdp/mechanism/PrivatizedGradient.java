/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import java.util.List;

/**
 * A gradient that is safe to use in any way: clipped, summed, noised and divided by the expected
 * batch size. Only a {@link NoiseMechanism} makes one; optimizers take nothing else.
 *
 * <p>The arrays belong to the engine and hold this gradient until the next step begins.
 */
public final class PrivatizedGradient {
  private final List<Parameter> parameters;
  private final List<NDArray> gradients;
  private final double noiseDeviation;

  PrivatizedGradient(List<Parameter> parameters, List<NDArray> gradients, double noiseDeviation) {
    this.parameters = List.copyOf(parameters);
    this.gradients = List.copyOf(gradients);
    this.noiseDeviation = noiseDeviation;
  }

  /** What a sum holds after noise was added to it and it was divided. */
  static PrivatizedGradient of(ClippedGradientSum sum, double noiseDeviation) {
    List<Parameter> parameters = sum.parameters();
    return new PrivatizedGradient(
        parameters, parameters.stream().map(sum::view).toList(), noiseDeviation);
  }

  /**
   * The parameters, each once.
   *
   * @return the parameters
   */
  public List<Parameter> parameters() {
    return parameters;
  }

  /**
   * The gradients, in the order of {@link #parameters()}.
   *
   * @return float32 arrays of the parameters' shapes
   */
  public List<NDArray> gradients() {
    return gradients;
  }

  /**
   * The standard deviation of the noise in each coordinate, \(\sigma S / B\): a public number.
   *
   * @return the deviation, in units of the gradients
   */
  public double noiseDeviation() {
    return noiseDeviation;
  }
}
