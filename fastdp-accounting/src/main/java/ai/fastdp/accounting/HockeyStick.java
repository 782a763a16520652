/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

/** delta as a function of epsilon, in closed form. */
interface HockeyStick {

  /**
   * delta at one epsilon.
   *
   * @param log log delta; negative infinity where delta is 0
   * @param slope derivative of log delta, negative
   * @param error bound of the rounding error of {@code log}
   */
  record Point(double log, double slope, double error) {

    /** delta = e^a - e^b, with derivative -e^b. */
    static Point difference(double a, double b) {
      if (!(a > b)) {
        return new Point(Double.NEGATIVE_INFINITY, -1, 0);
      }
      double log = a + Math.log(-Math.expm1(b - a));
      double terms = 20 + Math.abs(a) + Math.abs(b);
      return new Point(log, -Math.exp(b - log), 8 * 0x1p-53 * terms * Math.exp(a - log));
    }
  }

  Point at(double epsilon);

  /** Bounds of the epsilon &gt;= 0 at which delta falls to e^{logDelta}. */
  default EpsilonInterval epsilon(double logDelta) {
    Point zero = at(0);
    if (zero.log() + zero.error() <= logDelta) {
      return EpsilonInterval.ZERO;
    }
    double low = 0;
    double high = 1;
    while (at(high).log() > logDelta) {
      low = high;
      high *= 2;
    }
    double epsilon = (low + high) / 2;
    for (int i = 0; i < 200 && high - low > 4e-16 * high; i++) {
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
    Point point = at(epsilon);
    double margin = 4 * (point.error() / -point.slope() + 0x1p-52 * epsilon);
    return EpsilonInterval.of(epsilon - margin, epsilon, epsilon + margin);
  }
}
