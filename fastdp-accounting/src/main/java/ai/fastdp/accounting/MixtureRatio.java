/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

/**
 * The density ratio \(r(x) = 1 + q (e^{u(x)} - 1)\), \(u(x) = (2x-1)/(2 s^2)\), of the mixture
 * (1-q) N(0, s^2) + q N(1, s^2) to N(0, s^2).
 *
 * @param sampleRate q in (0, 1)
 * @param sigma standard deviation s relative to the sensitivity
 */
record MixtureRatio(double sampleRate, double sigma) {

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

  /** Where log r has the given value; negative infinity below its range. */
  double inverse(double logRatio) {
    double shifted =
        logRatio < 30
            ? Math.log1p(Math.expm1(logRatio) / sampleRate)
            : logRatio - Math.log(sampleRate);
    return Double.isNaN(shifted) || shifted == Double.NEGATIVE_INFINITY
        ? Double.NEGATIVE_INFINITY
        : sigma * sigma * shifted + 0.5;
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

  /** Beyond this the mixture has at most the given mass: P(X &gt; 1 + s z) &lt;= e^{-z^2/2}. */
  double quantileBound(double mass) {
    return 1 + sigma * Math.sqrt(-2 * Math.log(mass));
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
