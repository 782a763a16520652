/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

/**
 * The abscissa c of the contour at which the integrand of delta(epsilon) is smallest on the real
 * axis.
 *
 * <p>\(F(c) = K(c) - c \varepsilon - \log c - \log(1+c)\) is convex; at its minimum \(\varepsilon =
 * K'(c) - 1/c - 1/(1+c)\), and to leading order \(\log\delta = F(c) - \frac12\log(2\pi F''(c))\).
 *
 * @param c the abscissa
 * @param epsilon the epsilon whose saddle point c is; may be negative
 * @param logDelta the saddle-point approximation of log delta(epsilon)
 */
record Saddle(double c, double epsilon, double logDelta) {

  private static final double LOWEST = 1e-6;
  private static final double HIGHEST = 1e12;

  /** The saddle at c; that of an infinite epsilon where c is too large to compute with. */
  static Saddle at(LossComposition losses, double c) {
    LossPair.Cumulant k;
    try {
      k = losses.cumulant(c);
    } catch (NumericalLimitException e) {
      return new Saddle(c, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY);
    }
    double epsilon = k.mean() - 1 / c - 1 / (1 + c);
    double curvature = k.variance() + 1 / (c * c) + 1 / ((1 + c) * (1 + c));
    double logDelta =
        k.value()
            - c * epsilon
            - Math.log(c)
            - Math.log1p(c)
            - 0.5 * Math.log(2 * Math.PI * curvature);
    return new Saddle(c, epsilon, logDelta);
  }

  /** The saddle of the given epsilon. */
  static Saddle forEpsilon(LossComposition losses, double epsilon) {
    return search(losses, saddle -> epsilon - saddle.epsilon());
  }

  /** A root, in log c, of a function that falls as c grows. */
  private static Saddle search(
      LossComposition losses, java.util.function.ToDoubleFunction<Saddle> function) {
    Saddle low = at(losses, 2);
    double lowValue = function.applyAsDouble(low);
    Saddle high = low;
    double highValue = lowValue;
    double factor = 2;
    while (highValue > 0 && high.c() < HIGHEST) {
      low = high;
      lowValue = highValue;
      high = at(losses, high.c() * factor);
      highValue = function.applyAsDouble(high);
      factor = Math.min(factor * factor, 16);
    }
    factor = 2;
    while (lowValue <= 0 && low.c() > LOWEST) {
      high = low;
      highValue = lowValue;
      low = at(losses, low.c() / factor);
      lowValue = function.applyAsDouble(low);
      factor = Math.min(factor * factor, 16);
    }
    for (int i = 0; i < 60 && high.c() / low.c() > 1.02; i++) {
      double fraction = lowValue / (lowValue - highValue);
      fraction = Math.max(0.02, Math.min(0.98, fraction));
      if (i % 3 == 2) {
        fraction = 0.5;
      }
      Saddle middle = at(losses, low.c() * Math.pow(high.c() / low.c(), fraction));
      double value = function.applyAsDouble(middle);
      if (Math.abs(value) < 0.05) {
        return middle;
      }
      if (value > 0) {
        low = middle;
        lowValue = value;
      } else {
        high = middle;
        highValue = value;
      }
    }
    return high;
  }
}
