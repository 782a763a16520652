/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

/**
 * One Poisson-sampled Gaussian step. With \(x_0 = s^2\log(1 + (e^{\pm\varepsilon} - 1)/q) + 1/2\),
 * where the loss is epsilon,
 *
 * <p>REMOVE: \(\delta = q [\bar\Phi((x_0-1)/s) - \bar\Phi(x_0/s)] - (e^\varepsilon -
 * 1)\bar\Phi(x_0/s)\),
 *
 * <p>ADD: \(\delta = \Phi(x_0/s)(1 - e^\varepsilon(1-q)) - q e^\varepsilon\Phi((x_0-1)/s)\), 0 from
 * \(\varepsilon = -\log(1-q)\) on.
 *
 * @param ratio q and s
 * @param direction which of the two is P
 */
record MixtureHockeyStick(MixtureRatio ratio, MixtureLoss.Direction direction)
    implements HockeyStick {

  @Override
  public Point at(double epsilon) {
    double q = ratio.sampleRate();
    double s = ratio.sigma();
    if (direction == MixtureLoss.Direction.REMOVE) {
      // log(e^epsilon - 1 + q), which does not overflow
      double logShift =
          epsilon < 30
              ? Math.log(Math.expm1(epsilon) + q)
              : epsilon + Math.log1p((q - 1) * Math.exp(-epsilon));
      double x = s * s * (logShift - Math.log(q)) + 0.5;
      double a = Math.log(q) + NormalTail.logAbove((x - 1) / s);
      double b = logShift + NormalTail.logAbove(x / s);
      Point point = Point.difference(a, b);
      double slope = -Math.exp(epsilon + NormalTail.logAbove(x / s) - point.log());
      return new Point(point.log(), slope, point.error() + Math.abs(slope) * 0x1p-50);
    }
    double rest = Math.expm1(-epsilon) + q;
    if (!(rest > 0)) {
      return new Point(Double.NEGATIVE_INFINITY, -1, 0);
    }
    double x = s * s * Math.log(rest / q) + 0.5;
    double a = epsilon + Math.log(rest) + NormalTail.logAbove(-x / s);
    double b = epsilon + Math.log(q) + NormalTail.logAbove(-(x - 1) / s);
    Point point = Point.difference(a, b);
    double logQ =
        Math.log1p(-q)
            + NormalTail.logAbove(-x / s)
            + Math.log1p(Math.exp(b - epsilon - Math.log1p(-q) - NormalTail.logAbove(-x / s)));
    return new Point(point.log(), -Math.exp(epsilon + logQ - point.log()), point.error());
  }
}
