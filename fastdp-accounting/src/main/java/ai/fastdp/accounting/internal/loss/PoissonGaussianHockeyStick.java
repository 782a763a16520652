/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.loss;

import ai.fastdp.accounting.internal.numeric.GaussianHockeyStickTerm;

/**
 * One Poisson-sampled Gaussian step. With \(x_0 = s^2\log(1 + (e^{\pm\varepsilon} - 1)/q) + 1/2\),
 * where the loss is epsilon,
 *
 * <p>REMOVE: \(\delta = q [\bar\Phi((x_0-1)/s) - \bar\Phi(x_0/s)] - (e^\varepsilon -
 * 1)\bar\Phi(x_0/s) = q E((x_0-1)/s, 1/s)\),
 *
 * <p>ADD: \(\delta = \Phi(x_0/s)(1 - e^\varepsilon(1-q)) - q e^\varepsilon\Phi((x_0-1)/s) = (1 -
 * e^\varepsilon(1-q)) E(-x_0/s, 1/s)\), 0 from \(\varepsilon = -\log(1-q)\) on,
 *
 * <p>with E of {@link GaussianHockeyStickTerm}, because the density ratio at x_0 is known.
 *
 * @param ratio q and s
 * @param direction which of the two is P
 */
public record PoissonGaussianHockeyStick(
    MixtureRatio ratio, PoissonGaussianPair.Direction direction) implements HockeyStick {

  @Override
  public Point at(double epsilon) {
    double q = ratio.sampleRate();
    double s = ratio.sigma();
    if (direction == PoissonGaussianPair.Direction.REMOVE) {
      double u = ratio.exponent(epsilon);
      GaussianHockeyStickTerm excess = GaussianHockeyStickTerm.of(s * u - 0.5 / s, 1 / s);
      double rise = 1 / (q * Math.exp(-epsilon) - Math.expm1(-epsilon));
      return Point.of(Math.log(q), excess, -excess.subtracted() * rise);
    }
    // e^-epsilon - (1 - q), of which the larger ones are exact
    double rest = epsilon > 0.5 ? Math.exp(-epsilon) - (1 - q) : Math.expm1(-epsilon) + q;
    if (!(rest > 0)) {
      return Point.ZERO;
    }
    double u = rest < q / 2 ? Math.log(rest / q) : Math.log1p(Math.expm1(-epsilon) / q);
    GaussianHockeyStickTerm excess = GaussianHockeyStickTerm.of(-s * u - 0.5 / s, 1 / s);
    double logFactor = epsilon + Math.log(rest);
    double slope = -excess.subtracted() - Math.exp(epsilon - logFactor + log1mq());
    Point point = Point.of(logFactor, excess, slope);
    double error = 0x1p-50 * (q / rest);
    return new Point(point.log(), slope, point.lower() - error, point.upper() + error);
  }

  private double log1mq() {
    return Math.log1p(-ratio.sampleRate());
  }

  /**
   * An error e of u moves epsilon by \(e (1 - (1-q) e^{-\varepsilon})\) at most in direction REMOVE
   * and by q e at most in the other; u has a relative error, and another from adding 1/(2 s) to s
   * u.
   */
  @Override
  public double rounding(double epsilon) {
    double q = ratio.sampleRate();
    double s = ratio.sigma();
    double u = ratio.exponent(epsilon);
    double share = Math.min(1, epsilon + q);
    return 0x1p-49 * (epsilon + Math.min(1, epsilon) * u + share / s / s);
  }
}
