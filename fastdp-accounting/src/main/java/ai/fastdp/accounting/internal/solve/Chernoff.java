/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.solve;

import ai.fastdp.accounting.internal.loss.QuadraturePair;
import ai.fastdp.accounting.internal.numeric.NumericalLimitException;
import ai.fastdp.accounting.internal.numeric.ScalarMinimizer;
import java.util.function.DoubleUnaryOperator;

/**
 * Chernoff's bound \(\delta(\varepsilon) \le e^{K(c) - c\varepsilon} c^c/(1+c)^{1+c}\) for every c
 * &gt; 0, the sharp form of which is the improved conversion from Renyi divergence (order c + 1).
 */
public final class Chernoff {

  /** Covers the rounding error of K, so that the bound stays a bound. */
  private static final double MARGIN = 1 + 1e-12;

  private Chernoff() {}

  /**
   * Returns the distance above c at which to begin the search for a c' with a smaller bound. Where
   * epsilon is large, both are small.
   */
  static double firstStep(double c) {
    return 0.1 * Math.min(c + 0.5, 10 * c);
  }

  /**
   * Returns the smallest value of a bound that every c' above c gives, for distances that grow
   * until the bound rises: a convex function over a linear one falls and then rises.
   *
   * @param bound as a function of the distance c' - c
   * @throws NumericalLimitException if the bound cannot be computed at the smallest distance
   */
  static double smallest(double c, DoubleUnaryOperator bound) {
    double best = Double.POSITIVE_INFINITY;
    for (double far = firstStep(c); far < 200 * (c + 1); far *= 1.5) {
      double value;
      try {
        value = bound.applyAsDouble(far);
      } catch (NumericalLimitException e) {
        if (best == Double.POSITIVE_INFINITY) {
          throw e;
        }
        break; // every c' has a valid bound, so the smallest so far stays one
      }
      if (value > best) {
        break;
      }
      best = value;
    }
    return best;
  }

  /** Returns log of the bound of delta at one epsilon by one c. */
  static double logDelta(LossComposition losses, double c, double epsilon) {
    return cumulantBound(losses, c) - c * epsilon + logFactor(c);
  }

  /** Returns the smallest epsilon whose bound is e^{logDelta}; may be negative. */
  static double epsilon(LossComposition losses, double logDelta) {
    return ScalarMinimizer.minimize(
            t -> {
              double c = Math.exp(t);
              try {
                return (cumulantBound(losses, c) + logFactor(c) - logDelta) / c;
              } catch (NumericalLimitException e) {
                return Double.POSITIVE_INFINITY; // no bound by this c
              }
            },
            1.5,
            0.7,
            -25,
            27,
            1e-3)
        .value();
  }

  /** Returns log of the smallest bound of delta at one epsilon; at most 0. */
  static double logDelta(LossComposition losses, double epsilon) {
    double bound =
        ScalarMinimizer.minimize(
                t -> {
                  try {
                    return logDelta(losses, Math.exp(t), epsilon);
                  } catch (NumericalLimitException e) {
                    return Double.POSITIVE_INFINITY; // no bound by this c
                  }
                },
                1.5,
                0.7,
                -25,
                27,
                1e-6)
            .value();
    return Math.min(0, bound);
  }

  /** Returns an upper bound of the cumulant of all steps, rounding included. */
  static double cumulantBound(LossComposition losses, double c) {
    double value = 0;
    for (LossComposition.Part part : losses.parts()) {
      value += part.count() * part.pair().cumulantBound(c);
    }
    return value * MARGIN + losses.steps() * QuadraturePair.QUADRATURE_ERROR;
  }

  /** c log c - (1 + c) log(1 + c), without cancellation for large c. */
  private static double logFactor(double c) {
    return -c * Math.log1p(1 / c) - Math.log1p(c);
  }
}
