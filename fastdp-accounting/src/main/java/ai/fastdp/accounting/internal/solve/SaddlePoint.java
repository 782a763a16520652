/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.solve;

import ai.fastdp.accounting.internal.loss.DominatingPair;
import ai.fastdp.accounting.internal.numeric.NumericalLimitException;

/**
 * The abscissa c of the contour at which the integrand of delta(epsilon) is smallest on the real
 * axis.
 *
 * <p>\(F(c) = K(c) - c \varepsilon - \log c - \log(1+c)\) is convex; at its minimum \(\varepsilon =
 * K'(c) - 1/c - 1/(1+c)\), and to leading order \(\log\delta = F(c) - \frac12\log(2\pi F''(c))\).
 *
 * @param c the abscissa
 * @param epsilon the epsilon whose saddle point c is
 * @param logDelta the saddle-point approximation of log delta(epsilon)
 */
public record SaddlePoint(double c, double epsilon, double logDelta) {

  /** The search ends where F exceeds its minimum by less. */
  private static final double LOSS = 0.005;

  private static final double MIN_C = 1e-6;
  private static final double MAX_C = 1e12;

  /** F and its derivatives at one abscissa. */
  private record Point(double c, double value, double slope, double curvature) {

    /** Evaluates F; where c is too large to compute with, F rises. */
    static Point at(LossComposition losses, double c, double epsilon) {
      try {
        DominatingPair.Cumulant k = losses.cumulant(c);
        return new Point(
            c,
            k.value() - c * epsilon - Math.log(c) - Math.log1p(c),
            k.mean() - epsilon - 1 / c - 1 / (1 + c),
            Math.max(0, k.variance()) + 1 / (c * c) + 1 / ((1 + c) * (1 + c)));
      } catch (NumericalLimitException e) {
        return new Point(c, Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY, 1);
      }
    }

    /** {@return how far F is above its minimum, to second order} */
    double loss() {
      return slope * slope / (2 * curvature);
    }

    SaddlePoint saddle(double epsilon) {
      return new SaddlePoint(c, epsilon, value - loss() - 0.5 * Math.log(2 * Math.PI * curvature));
    }
  }

  /** Returns the saddle point of the given epsilon: a root, in log c, of the slope of F. */
  static SaddlePoint forEpsilon(LossComposition losses, double epsilon) {
    Point low = Point.at(losses, 2, epsilon);
    Point high = low;
    double factor = 2;
    while (high.slope() < 0 && high.c() < MAX_C) {
      low = high;
      high = Point.at(losses, high.c() * factor, epsilon);
      factor = Math.min(factor * factor, 16);
    }
    factor = 2;
    while (low.slope() >= 0 && low.c() > MIN_C) {
      high = low;
      low = Point.at(losses, low.c() / factor, epsilon);
      factor = Math.min(factor * factor, 16);
    }
    for (int i = 0; i < 60 && high.c() / low.c() > 1.02; i++) {
      double fraction = low.slope() / (low.slope() - high.slope());
      fraction = fraction > 0.02 ? Math.min(0.98, fraction) : 0.02;
      if (i % 3 == 2) {
        fraction = 0.5;
      }
      Point middle = Point.at(losses, low.c() * Math.pow(high.c() / low.c(), fraction), epsilon);
      if (middle.loss() < LOSS) {
        return middle.saddle(epsilon);
      }
      if (middle.slope() < 0) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return high.saddle(epsilon);
  }
}
