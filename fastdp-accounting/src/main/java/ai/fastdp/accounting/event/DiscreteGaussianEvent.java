/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.event;

import ai.fastdp.accounting.internal.numeric.Require;

/**
 * One release of a vector of integers (multiples of a grid's spacing) with discrete Gaussian noise,
 * \(\Pr[Y = y] \propto e^{-y^2 / 2 s^2}\), in every coordinate.
 *
 * <p>Its Renyi divergence is at most that of a {@link GaussianEvent} with the same noise multiplier
 * at every order (Canonne, Kamath, Steinke 2020, arXiv 2004.00010, theorem 14: one half
 * \(\sigma^{-2}\) concentrated differential privacy). Its hockey-stick divergence is not: the
 * discrete Gaussian's is sometimes above and sometimes below the continuous one's. It is therefore
 * a separate event, which the RDP accountant takes and the other accountants refuse.
 *
 * @param noiseMultiplier the parameter s times the grid's spacing, divided by the largest L2 norm
 *     by which one record changes the vector <em>on the grid</em>, rounding included; finite and
 *     positive
 */
public record DiscreteGaussianEvent(double noiseMultiplier) implements DpEvent {

  /**
   * Checks the noise multiplier.
   *
   * @param noiseMultiplier as described above
   * @throws IllegalArgumentException if {@code noiseMultiplier} is not finite and positive
   */
  public DiscreteGaussianEvent {
    Require.finitePositive("noiseMultiplier", noiseMultiplier);
  }

  @Override
  public <R> R accept(Visitor<R> visitor) {
    return visitor.visit(this);
  }
}
