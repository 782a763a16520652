/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.event;

import ai.fastdp.accounting.internal.numeric.Require;

/**
 * The query of adaptive clipping: how many sampled records have a gradient norm of at most the clip
 * norm, with Gaussian noise (Andrew, Thakkar, McMahan, Ramaswamy 2021, arXiv 1905.03871, section
 * 2).
 *
 * <p>A record adds +1/2 or -1/2 to the centred count, so adding or removing one changes it by 1/2,
 * and the event equals a {@link GaussianEvent} with noise multiplier 2 {@code countNoise}. It has
 * to be charged in addition to the gradient of the same sample.
 *
 * @param countNoise standard deviation of the noise that is added to the count; finite and positive
 */
public record QuantileQueryEvent(double countNoise) implements DpEvent {

  /**
   * Checks the noise.
   *
   * @param countNoise as described above
   * @throws IllegalArgumentException if {@code countNoise} is not finite and positive
   */
  public QuantileQueryEvent {
    Require.finitePositive("countNoise", countNoise);
  }

  /** {@return the equivalent release of a sum of contributions of norm at most 1} */
  public GaussianEvent asGaussian() {
    return new GaussianEvent(2 * countNoise);
  }

  @Override
  public <R> R accept(Visitor<R> visitor) {
    return visitor.visit(this);
  }
}
