/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.loss;

import ai.fastdp.accounting.internal.numeric.NumericalLimitException;

/**
 * Bounds of delta at one epsilon, in order and in [0, 1].
 *
 * @param lower delta is at least this
 * @param estimate best guess
 * @param upper delta is at most this
 */
public record DeltaInterval(double lower, double estimate, double upper) {

  /** The bounds of an empty composition. */
  public static final DeltaInterval ZERO = new DeltaInterval(0, 0, 0);

  /**
   * Clips bounds at 0 and 1 and puts them in order, which rounding may have disturbed.
   *
   * @throws NumericalLimitException if more than rounding must have disturbed them
   */
  static DeltaInterval of(double lower, double estimate, double upper) {
    double l = Math.max(0, Math.min(1, lower));
    if (!(l <= Math.max(0, upper) * (1 + 1e-9) + Double.MIN_NORMAL)) {
      throw new NumericalLimitException(
          "bounds of delta contradict each other: " + l + " and " + upper);
    }
    double u = Math.max(l, Math.min(1, upper));
    return new DeltaInterval(l, Math.max(l, Math.min(u, estimate)), u);
  }

  /** Returns bounds of a fraction of delta. */
  public DeltaInterval times(double factor) {
    // The epsilon at which delta was evaluated is rounded, so the bounds are widened a little.
    return of(lower * factor * (1 - 1e-10), estimate * factor, upper * factor * (1 + 1e-10));
  }

  /** Returns bounds of the larger of two deltas. */
  public DeltaInterval max(DeltaInterval other) {
    return new DeltaInterval(
        Math.max(lower, other.lower),
        Math.max(estimate, other.estimate),
        Math.max(upper, other.upper));
  }
}
