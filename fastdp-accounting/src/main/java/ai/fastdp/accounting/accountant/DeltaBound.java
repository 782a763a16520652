/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.accountant;

import ai.fastdp.accounting.internal.loss.DeltaBracket;
import ai.fastdp.accounting.internal.numeric.NumericalLimitException;

/**
 * What is known about delta at one epsilon.
 *
 * @param lower delta is at least this
 * @param estimate best guess
 * @param upper delta is at most this
 */
public record DeltaBound(double lower, double estimate, double upper) {

  /**
   * Checks the order.
   *
   * @param lower as described above
   * @param estimate as described above
   * @param upper as described above
   * @throws IllegalArgumentException unless 0 &lt;= lower &lt;= estimate &lt;= upper
   */
  public DeltaBound {
    if (!(lower >= 0 && lower <= estimate && estimate <= upper)) {
      throw new IllegalArgumentException(
          "lower, estimate, upper must be >= 0 and ordered, got "
              + lower
              + ", "
              + estimate
              + ", "
              + upper);
    }
  }

  /**
   * Clips at 0 and 1 and orders the numbers, which rounding may have disturbed.
   *
   * @throws NumericalLimitException if more than rounding must have disturbed them
   */
  static DeltaBound of(DeltaBracket bracket) {
    double lower = Math.max(0, Math.min(1, bracket.lower()));
    if (!(lower <= Math.max(0, bracket.upper()) * (1 + 1e-9) + Double.MIN_NORMAL)) {
      throw new NumericalLimitException(
          "bounds of delta contradict each other: " + lower + " and " + bracket.upper());
    }
    double upper = Math.max(lower, Math.min(1, bracket.upper()));
    return new DeltaBound(lower, Math.max(lower, Math.min(upper, bracket.estimate())), upper);
  }

  /** Bounds of a share of this. */
  DeltaBound times(double factor) {
    // The epsilon at which this was asked for was rounded, so the bounds give way a little.
    return of(
        new DeltaBracket(
            lower * factor * (1 - 1e-10), estimate * factor, upper * factor * (1 + 1e-10)));
  }

  /** Bounds of the larger of two numbers. */
  DeltaBound max(DeltaBound other) {
    return new DeltaBound(
        Math.max(lower, other.lower),
        Math.max(estimate, other.estimate),
        Math.max(upper, other.upper));
  }
}
