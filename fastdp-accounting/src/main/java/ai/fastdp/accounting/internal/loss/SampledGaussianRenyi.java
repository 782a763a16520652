/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.loss;

import ai.fastdp.accounting.internal.numeric.LogSum;

/**
 * Renyi divergence of the Poisson-sampled Gaussian mechanism at any real order above 1.
 *
 * <p>With \(r(x) = 1 + q\,(e^{u(x)} - 1)\), \(u(x) = (2x-1)/(2\sigma^2)\), the divergence of (1-q)
 * N(0, s^2) + q N(1, s^2) from N(0, s^2) at order a is \(\log A_a/(a-1)\), \(A_a = E[r^a]\), x ~
 * N(0, s^2) (Mironov, Talwar, Zhang 2019, arXiv 1908.10530, section 3). Since E[r - 1] = 0,
 *
 * <p>\(A_a - 1 = E[g], \quad g = r^a - 1 - a (r - 1) \ge 0\) by convexity,
 *
 * <p>so the sum has no cancellation even where A - 1 is 1e-13. The trapezoid rule converges
 * geometrically: g is analytic for |Im x| &lt; pi s^2, where r has its branch point. Relative error
 * about 1e-14 for every real order (the binomial sums in use elsewhere cover integers, or lose the
 * sign of their terms).
 *
 * <p>Nodes far from every local maximum of the integrand are left out when they cannot matter: g is
 * at most max(r^a, a).
 */
public final class SampledGaussianRenyi {

  /** Nodes are left out if their sum is below e^-45 of the result. */
  private static final double NEGLIGIBLE = 45;

  private static final double SERIES_LIMIT = 0.05;

  /** If log r^a is larger at its peak, the sum is not much smaller. */
  private static final double FAR = 100;

  /** With less noise there would be too many nodes. */
  private static final double MIN_VARIANCE = 1e-6;

  private final double rate;
  private final double variance;
  private final double step;
  private final double reach;

  private double order;
  private LogSum sum = new LogSum();

  /** The largest log of r^a times the normal density at a seed; the sum will exceed it by far. */
  private double peak;

  public SampledGaussianRenyi(MixtureRatio ratio) {
    rate = ratio.sampleRate();
    double sigma = ratio.sigma();
    variance = sigma * sigma;
    step = Math.min(sigma / 4, 0.33 * variance);
    reach = 14 * sigma;
  }

  /**
   * The cumulant \((a-1) D_a = \log A_a\).
   *
   * @param renyiOrder a &gt; 1
   */
  public double cumulant(double renyiOrder) {
    double a = renyiOrder;
    if (!(variance >= MIN_VARIANCE)) {
      return withHardlyAnyNoise(a - 1);
    }
    order = a;
    sum = new LogSum();
    double bend = variance * (Math.log1p(-rate) - Math.log(rate)) + 0.5;
    double left = fixedPoint(0);
    double right = fixedPoint(a);
    double[] seeds = {0, Math.max(0, Math.min(bend, Math.max(2, a))), 1, 2, left, right};
    java.util.Arrays.sort(seeds);
    peak = Double.NEGATIVE_INFINITY;
    for (double seed : seeds) {
      double x = Math.round(seed / step) * step;
      peak = Math.max(peak, order * logRatio(x) - x * x / (2 * variance));
    }
    long covered = Long.MIN_VALUE;
    for (double seed : seeds) {
      long index = Math.round(seed / step);
      if (index <= covered) {
        continue;
      }
      for (long i = index - 1; i > covered && add(i); i--) {}
      long i = index;
      while (add(i)) {
        i++;
      }
      covered = i;
    }
    double logExcess = sum.log() + Math.log(step) - 0.5 * Math.log(2 * Math.PI * variance);
    return logExcess > 0
        ? logExcess + Math.log1p(Math.exp(-logExcess))
        : Math.log1p(Math.exp(logExcess));
  }

  /**
   * An upper bound, up to rounding, of the cumulant at order c + 1 where that sum would lose digits
   * of c.
   */
  double cumulantBound(double c) {
    return variance >= MIN_VARIANCE ? cumulant(Math.nextUp(c + 1)) : withHardlyAnyNoise(c);
  }

  /** Minkowski's inequality for 1 - q + q e^u, which is nearly an equality here. */
  private double withHardlyAnyNoise(double c) {
    double u = c / (2 * variance);
    return (c + 1)
        * (u < 700 ? Math.log1p(rate * Math.expm1(u)) : u + Math.log(rate) + Math.exp(-u) / rate);
  }

  /** Adds node i; false if this node and all beyond it, away from the seed, cannot matter. */
  private boolean add(long i) {
    double x = i * step;
    double gauss = -x * x / (2 * variance);
    double u = (2 * x - 1) / (2 * variance);
    double ratioMinusOne = u < 700 ? rate * Math.expm1(u) : Double.POSITIVE_INFINITY;
    double logRatio = logRatio(x);
    double bound = Math.max(order * logRatio, Math.log(order)) + gauss;
    double logG = logG(ratioMinusOne, logRatio);
    sum.add(logG + gauss);
    double known = peak > FAR ? Math.max(sum.log(), peak) : sum.log();
    return Math.abs(x) < reach || bound > known - NEGLIGIBLE;
  }

  private double logRatio(double x) {
    double u = (2 * x - 1) / (2 * variance);
    return u < 700 ? Math.log1p(rate * Math.expm1(u)) : u + Math.log(rate);
  }

  private double logG(double ratioMinusOne, double logRatio) {
    double a = order;
    double power = a * logRatio;
    if (power > 600) {
      double further = (a - 1) * logRatio;
      return further > 40 ? power : logRatio + Math.log(Math.expm1(further) - (a - 1));
    }
    double d = ratioMinusOne;
    if (Math.abs(a * d) < SERIES_LIMIT && Math.abs(d) < SERIES_LIMIT) {
      double term = a * (a - 1) / 2 * d * d;
      double total = term;
      for (int k = 3; k <= 16; k++) {
        term *= (a - k + 1) / k * d;
        total += term;
      }
      return Math.log(total);
    }
    // r^a - 1 - a (r - 1) = r (r^(a-1) - 1) - (a - 1)(r - 1), which keeps its digits as a -> 1.
    return Math.log((1 + d) * Math.expm1((a - 1) * logRatio) - (a - 1) * d);
  }

  /**
   * Iterates x -&gt; a w(x), w the posterior weight of the shifted component, whose fixed points
   * are the stationary points of a log r(x) - x^2 / (2 s^2). From 0 it rises to the smallest of
   * them, from a it falls to the largest.
   */
  private double fixedPoint(double start) {
    double x = start;
    double logit = Math.log(rate) - Math.log1p(-rate);
    for (int i = 0; i < 60; i++) {
      double next = order / (1 + Math.exp(-logit - (2 * x - 1) / (2 * variance)));
      if (Math.abs(next - x) < step) {
        return next;
      }
      x = next;
    }
    return x;
  }
}
