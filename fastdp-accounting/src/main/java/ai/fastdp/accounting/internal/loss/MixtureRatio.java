/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.loss;

import ai.fastdp.accounting.internal.numeric.NormalEdge;

/**
 * The density ratio \(r(x) = 1 + q (e^{u(x)} - 1)\), \(u(x) = (2x-1)/(2 s^2)\), of the mixture
 * (1-q) N(0, s^2) + q N(1, s^2) to N(0, s^2).
 *
 * @param sampleRate q in (0, 1)
 * @param sigma standard deviation s relative to the sensitivity
 */
public record MixtureRatio(double sampleRate, double sigma) {

  private static final double LOG_ROOT_TWO_PI = 0.5 * Math.log(2 * Math.PI);

  /** log r(x). */
  double log(double x) {
    double u = (2 * x - 1) / (2 * sigma * sigma);
    return u < 700 ? Math.log1p(sampleRate * Math.expm1(u)) : u + Math.log(sampleRate);
  }

  /** The derivative of log r, which is the posterior weight of the shifted component over s^2. */
  double logDerivative(double x, double logRatio) {
    double u = (2 * x - 1) / (2 * sigma * sigma);
    return sampleRate * Math.exp(u - logRatio) / (sigma * sigma);
  }

  /** Returns the x at which log r has the given value; negative infinity below its range. */
  double inverse(double logRatio) {
    double shifted = exponent(logRatio);
    return Double.isNaN(shifted) || shifted == Double.NEGATIVE_INFINITY
        ? Double.NEGATIVE_INFINITY
        : sigma * sigma * shifted + 0.5;
  }

  /** The u at which log r has the given value: \(\log(1 + (r - 1)/q)\), which does not overflow. */
  double exponent(double logRatio) {
    return logRatio < 30
        ? Math.log1p(Math.expm1(logRatio) / sampleRate)
        : logRatio + Math.log1p((sampleRate - 1) * Math.exp(-logRatio)) - Math.log(sampleRate);
  }

  /** The log density of N(0, s^2). */
  double logBase(double x) {
    double z = x / sigma;
    return -z * z / 2 - Math.log(sigma) - LOG_ROOT_TWO_PI;
  }

  /** The posterior weight of the shifted component at x = 0. */
  double weightAtZero() {
    return 1 / (1 + (1 - sampleRate) / sampleRate * Math.exp(1 / (2 * sigma * sigma)));
  }

  /**
   * Returns an x beyond which the mixture has at most the given mass: P(X &gt; 1 + s z) &lt;=
   * e^{-z^2/2}.
   */
  double quantileBound(double mass) {
    return 1 + sigma * Math.sqrt(-2 * Math.log(mass));
  }

  /**
   * The spacing of the trapezoid rule over x for normal densities times powers of r.
   *
   * <p>On the line Im x = y, |y| = t s^2 with t &lt; pi, |arg r| &lt;= t and r(x) cos(t/2) &lt;=
   * |r(x + iy)| &lt;= r(x). So an integrand with the powers z of r is at most e^{y^2/(2 s^2) + t
   * |Im z|} cos(t/2)^{-n} times its value on the real line, n the size of a negative power. The
   * best t is searched: as -log cos(t/2) is t^2/8 and more, it is not above the one that is best
   * for t^2/8.
   *
   * @param turns sum of |Im z|
   * @param negativePower n
   */
  double spacing(double turns, double negativePower) {
    double variance = sigma * sigma;
    double t =
        Math.min(
            0.95 * Math.PI,
            Math.sqrt(QuadraturePair.LOG_PRECISION / (variance / 2 + negativePower / 8)));
    double best = 0;
    for (int i = 0; i < 24; i++) {
      double growth = t * t * variance / 2 + turns * t - negativePower * Math.log(Math.cos(t / 2));
      best = Math.max(best, QuadraturePair.spacingFor(t * variance, growth));
      t *= 0.8;
    }
    return best;
  }

  Edge edge(double x) {
    return new Edge(NormalEdge.at(x / sigma), NormalEdge.at((x - 1) / sigma));
  }

  /** The end of a cell, under both components. */
  record Edge(NormalEdge zero, NormalEdge shifted) {

    /** The mass of N(0, s^2) up to another edge to the right. */
    double base(Edge to) {
      return zero.to(to.zero);
    }

    /** The mass of the mixture. */
    double mixture(Edge to, double q) {
      return (1 - q) * zero.to(to.zero) + q * shifted.to(to.shifted);
    }
  }
}
