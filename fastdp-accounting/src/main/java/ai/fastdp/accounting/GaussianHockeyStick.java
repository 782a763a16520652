/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

/**
 * The Gaussian mechanism with sensitivity over noise mu: \(\delta = \Phi(-\varepsilon/\mu + \mu/2)
 * - e^\varepsilon \Phi(-\varepsilon/\mu - \mu/2)\) (Balle and Wang 2018, arXiv 1805.06530, theorem
 * 8; Dong, Roth, Su 2022, corollary 1).
 *
 * @param mu positive
 */
record GaussianHockeyStick(double mu) implements HockeyStick {

  @Override
  public Point at(double epsilon) {
    double centre = epsilon / mu;
    return Point.difference(
        NormalTail.logAbove(centre - mu / 2), epsilon + NormalTail.logAbove(centre + mu / 2));
  }
}
