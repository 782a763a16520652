/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.loss;

import ai.fastdp.accounting.internal.numeric.GaussianHockeyStickTerm;

/**
 * The Gaussian mechanism with sensitivity over noise mu: \(\delta = \Phi(-\varepsilon/\mu + \mu/2)
 * - e^\varepsilon \Phi(-\varepsilon/\mu - \mu/2)\) (Balle and Wang 2018, arXiv 1805.06530, theorem
 * 8; Dong, Roth, Su 2022, corollary 1).
 *
 * @param mu positive
 */
public record GaussianHockeyStick(double mu) implements HockeyStick {

  @Override
  public Point at(double epsilon) {
    GaussianHockeyStickTerm excess = GaussianHockeyStickTerm.of(epsilon / mu - mu / 2, mu);
    return Point.of(0, excess, -excess.subtracted());
  }

  /** The argument of the first tail errs by a few units in the last place of both its terms. */
  @Override
  public double rounding(double epsilon) {
    return 0x1p-50 * (Math.abs(epsilon) + mu * mu);
  }
}
