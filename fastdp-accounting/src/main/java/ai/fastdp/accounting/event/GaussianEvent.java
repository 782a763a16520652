/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.event;

import ai.fastdp.accounting.internal.numeric.Require;

/**
 * One release of a sum with Gaussian noise.
 *
 * @param noiseMultiplier standard deviation of the noise divided by the clip norm; finite and
 *     positive
 */
public record GaussianEvent(double noiseMultiplier) implements DpEvent {

  /**
   * Checks the noise multiplier.
   *
   * @param noiseMultiplier as described above
   * @throws IllegalArgumentException if {@code noiseMultiplier} is not finite and positive
   */
  public GaussianEvent {
    Require.finitePositive("noiseMultiplier", noiseMultiplier);
  }

  @Override
  public <R> R accept(Visitor<R> visitor) {
    return visitor.visit(this);
  }
}
