/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import java.util.List;

/**
 * A gradient that is safe to use in any way: clipped, summed, noised and divided by the expected
 * batch size. Only a {@link NoiseMechanism} makes one; optimizers take nothing else.
 *
 * <p>Its arrays belong to the engine, which collects the next step's raw sum where they are. They
 * can be read until the optimizer's {@code update} has returned; copy what is to be kept.
 */
public final class PrivatizedGradient implements AutoCloseable {
  private final List<Parameter> parameters;
  private final List<NDArray> gradients;
  private final double noiseDeviation;
  private boolean closed;

  PrivatizedGradient(List<Parameter> parameters, List<NDArray> gradients, double noiseDeviation) {
    this.parameters = List.copyOf(parameters);
    this.gradients = List.copyOf(gradients);
    this.noiseDeviation = noiseDeviation;
  }

  /** The privatized gradient that a sum holds after noise was added and it was divided. */
  static PrivatizedGradient of(ClippedGradientSum sum, double noiseDeviation) {
    List<Parameter> parameters = sum.parameters();
    return new PrivatizedGradient(
        parameters, parameters.stream().map(sum::newView).toList(), noiseDeviation);
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
   * @throws IllegalStateException if the optimizer's update has returned
   */
  public List<NDArray> gradients() {
    if (closed) {
      throw new IllegalStateException(
          "gradients must be read while the optimizer updates, got a read after its update had"
              + " returned; copy what is to be kept");
    }
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

  /** Ends the use of the arrays; the engine calls it when the optimizer's update has returned. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      gradients.forEach(NDArray::close);
    }
  }
}
