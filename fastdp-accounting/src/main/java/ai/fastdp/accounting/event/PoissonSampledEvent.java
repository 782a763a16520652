/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.event;

import ai.fastdp.accounting.internal.numeric.Require;
import java.util.Objects;

/**
 * An event run on a Poisson sample: every record takes part independently with the same
 * probability.
 *
 * <p>Shuffled or fixed-size batches are not Poisson samples and must not be described by this
 * event.
 *
 * @param sampleRate probability that a record takes part, in [0, 1]
 * @param event the event that runs on the sample
 */
public record PoissonSampledEvent(double sampleRate, DpEvent event) implements DpEvent {

  /**
   * Checks the sample rate.
   *
   * @param sampleRate as described above
   * @param event as described above
   * @throws IllegalArgumentException if {@code sampleRate} is not in [0, 1]
   */
  public PoissonSampledEvent {
    Require.probability("sampleRate", sampleRate);
    Objects.requireNonNull(event, "event");
  }

  @Override
  public <R> R accept(Visitor<R> visitor) {
    return visitor.visit(this);
  }
}
