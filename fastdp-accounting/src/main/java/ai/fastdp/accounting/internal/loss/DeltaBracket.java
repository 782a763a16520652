/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.loss;

/**
 * Bounds of delta at one epsilon by one method, before they are clipped.
 *
 * @param lower a lower bound; may be negative
 * @param estimate the value
 * @param upper an upper bound
 */
public record DeltaBracket(double lower, double estimate, double upper) {

  /** Nothing is lost. */
  public static final DeltaBracket ZERO = new DeltaBracket(0, 0, 0);

  /** Bounds whose relative width is smaller are narrow. */
  private static final double NARROW = 1e-8;

  /** {@return whether narrower bounds are not worth the effort} */
  public boolean isNarrow() {
    return width() <= NARROW * estimate;
  }

  /** Returns the bounds capped at an upper bound. */
  public DeltaBracket atMost(double cap) {
    return cap >= upper
        ? this
        : new DeltaBracket(Math.min(lower, cap), Math.min(estimate, cap), cap);
  }

  /** {@return the distance of the bounds} */
  public double width() {
    return upper - lower;
  }

  /**
   * Returns the bounds clipped at 0 and 1.
   *
   * @throws ai.fastdp.accounting.internal.numeric.NumericalLimitException if they contradict each
   *     other
   */
  public DeltaInterval toInterval() {
    return DeltaInterval.of(lower, estimate, upper);
  }
}
