/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.loss;

import ai.fastdp.accounting.internal.numeric.GaussianHockeyStickTerm;

/** The curve of delta as a function of epsilon, in closed form. */
public interface HockeyStick {

  /**
   * delta at one epsilon, or so near to it that {@link #rounding} covers the distance.
   *
   * @param log log delta; negative infinity where delta is 0
   * @param slope derivative of log delta, negative; about
   * @param lower a lower bound of log delta
   * @param upper an upper bound of log delta
   */
  record Point(double log, double slope, double lower, double upper) {

    /** delta is 0. */
    static final Point ZERO =
        new Point(Double.NEGATIVE_INFINITY, -1, Double.NEGATIVE_INFINITY, Double.NEGATIVE_INFINITY);

    /** A value known up to an error. */
    static Point of(double log, double slope, double error) {
      return new Point(log, slope, log - error, log + error);
    }

    /** A multiple of an excess. */
    static Point of(double logFactor, GaussianHockeyStickTerm excess, double slope) {
      double error = 0x1p-51 * (1 + Math.abs(logFactor));
      return new Point(
          logFactor + excess.log(),
          slope,
          logFactor + excess.lower() - error,
          logFactor + excess.upper() + error);
    }
  }

  Point at(double epsilon);

  /** Bounds how far rounding of the arguments of {@link #at} moves epsilon. */
  default double rounding(double epsilon) {
    return 0;
  }

  /** Bounds delta at one epsilon that is not negative. */
  default DeltaBracket bracket(double epsilon) {
    double reach = rounding(epsilon);
    return new DeltaBracket(
        Math.exp(at(epsilon + reach).lower()),
        Math.exp(at(epsilon).log()),
        Math.exp(at(Math.max(0, epsilon - reach)).upper()));
  }

  /** Bounds the epsilon &gt;= 0 at which delta falls to e^{logDelta}. */
  default EpsilonInterval epsilon(double logDelta) {
    if (at(0).upper() <= logDelta) {
      return EpsilonInterval.ZERO;
    }
    double low = 0;
    double high = 1;
    while (high < Double.POSITIVE_INFINITY && !(at(high).log() <= logDelta)) {
      low = high;
      high *= 2;
    }
    double epsilon = (low + high) / 2;
    for (int i = 0; i < 200 && high - low > 4e-16 * high && high <= Double.MAX_VALUE; i++) {
      Point point = at(epsilon);
      double miss = point.log() - logDelta;
      if (miss > 0) {
        low = epsilon;
      } else {
        high = epsilon;
      }
      double next = epsilon - miss / point.slope();
      if (!(next > low && next < high)) {
        next = (low + high) / 2;
      }
      if (next == epsilon) {
        break;
      }
      epsilon = next;
    }
    return around(epsilon, logDelta);
  }

  /** Returns checked bounds that are not far from an estimate. */
  private EpsilonInterval around(double estimate, double logDelta) {
    double epsilon = Math.min(estimate, Double.MAX_VALUE);
    double reach = Math.max(Double.MIN_NORMAL, rounding(epsilon) + 0x1p-51 * epsilon);
    Point point = at(epsilon);
    double error = Math.max(point.upper() - point.log(), point.log() - point.lower());
    double expected = 1.1 * error / -point.slope();
    double first = expected > reach && expected < epsilon ? expected : reach;
    double margin = first;
    double upper = epsilon + margin;
    while (upper < Double.POSITIVE_INFINITY && !(at(upper).upper() <= logDelta)) {
      margin *= 2;
      upper = epsilon + margin;
    }
    margin = first;
    double lower = epsilon - margin;
    while (lower > 0 && !(at(lower).lower() >= logDelta)) {
      margin *= 2;
      lower = epsilon - margin;
    }
    return EpsilonInterval.of(lower - 2 * reach, estimate, upper + rounding(upper) + reach);
  }
}
