/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.event;

import ai.fastdp.accounting.internal.numeric.Require;

/**
 * One release of one number with Laplace noise (Dwork, McSherry, Nissim, Smith 2006).
 *
 * <p>The number is a sum to which every record contributes at most some amount in absolute value.
 * Several numbers are several events.
 *
 * @param noiseMultiplier scale b of the noise, whose standard deviation is \(b\sqrt2\), divided by
 *     the largest contribution of one record; finite and positive
 */
public record LaplaceEvent(double noiseMultiplier) implements DpEvent {

  /**
   * Checks the noise multiplier.
   *
   * @param noiseMultiplier as described above
   * @throws IllegalArgumentException if {@code noiseMultiplier} is not finite and positive
   */
  public LaplaceEvent {
    Require.finitePositive("noiseMultiplier", noiseMultiplier);
  }

  @Override
  public <R> R accept(Visitor<R> visitor) {
    return visitor.visit(this);
  }
}
