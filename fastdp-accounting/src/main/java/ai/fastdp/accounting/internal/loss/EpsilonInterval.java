/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.loss;

import ai.fastdp.accounting.internal.numeric.NumericalLimitException;

/**
 * Bounds of epsilon at one delta in one direction.
 *
 * @param lower at least 0
 * @param estimate between the two
 * @param upper may be infinite
 */
public record EpsilonInterval(double lower, double estimate, double upper) {

  /** Bounds whose relative width is smaller are narrow. */
  private static final double NARROW = 8e-7;

  /** Below this epsilon, absolute accuracy counts. */
  private static final double SMALL = 1e-3;

  public static final EpsilonInterval ZERO = new EpsilonInterval(0, 0, 0);

  /**
   * Clips bounds at zero and puts them in order, which rounding may have disturbed.
   *
   * @throws NumericalLimitException if more than rounding must have disturbed them, so that one of
   *     them is wrong
   */
  public static EpsilonInterval of(double lower, double estimate, double upper) {
    double l = Math.max(0, lower);
    if (!(l <= Math.max(0, upper) * (1 + 1e-9) + 1e-15)) {
      throw new NumericalLimitException(
          "bounds of epsilon contradict each other: " + lower + " and " + upper);
    }
    double u = Math.max(l, Math.max(0, upper));
    return new EpsilonInterval(l, Math.min(u, Math.max(l, estimate)), u);
  }

  /** Returns bounds of the larger of two epsilons. */
  public EpsilonInterval max(EpsilonInterval other) {
    return of(
        Math.max(lower, other.lower),
        Math.max(estimate, other.estimate),
        Math.max(upper, other.upper));
  }

  public double width() {
    return upper - lower;
  }

  /** {@return whether narrower bounds are not worth the effort} */
  public boolean isNarrow() {
    return width() <= NARROW * Math.max(estimate, SMALL);
  }
}
