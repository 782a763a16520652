/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.accountant;

import java.util.OptionalDouble;

/**
 * Bounds of the delta of a composition at one epsilon.
 *
 * <p>{@code lower} and {@code upper} are guarantees, {@code estimate} is not. An accountant leaves
 * empty what it cannot vouch for.
 *
 * @param lower delta is at least this
 * @param estimate best guess of delta
 * @param upper delta is at most this
 */
public record DeltaBound(OptionalDouble lower, OptionalDouble estimate, OptionalDouble upper) {

  /**
   * Checks that the present values are non-negative and ordered.
   *
   * @param lower as described above
   * @param estimate as described above
   * @param upper as described above
   * @throws IllegalArgumentException if a value is negative or NaN or the order is violated
   */
  public DeltaBound {
    OrderedBounds.require(lower, estimate, upper);
  }

  /**
   * Returns the bounds where nothing was spent.
   *
   * @return 0 as lower, estimate and upper
   */
  public static DeltaBound zero() {
    return exact(0);
  }

  /**
   * Returns the bounds of a value known up to rounding.
   *
   * @param delta the value
   * @return the value as lower, estimate and upper
   */
  public static DeltaBound exact(double delta) {
    return interval(delta, delta, delta);
  }

  /**
   * Returns a two-sided guarantee.
   *
   * @param lower delta is at least this
   * @param estimate best guess
   * @param upper delta is at most this
   * @return all three
   */
  public static DeltaBound interval(double lower, double estimate, double upper) {
    return new DeltaBound(
        OptionalDouble.of(lower), OptionalDouble.of(estimate), OptionalDouble.of(upper));
  }

  /**
   * Returns a guarantee that delta is not larger.
   *
   * @param upper delta is at most this
   * @return the upper bound alone
   */
  public static DeltaBound atMost(double upper) {
    return new DeltaBound(OptionalDouble.empty(), OptionalDouble.empty(), OptionalDouble.of(upper));
  }

  /**
   * Returns an estimate without any guarantee.
   *
   * @param estimate best guess
   * @return the estimate alone
   */
  public static DeltaBound approximately(double estimate) {
    return new DeltaBound(
        OptionalDouble.empty(), OptionalDouble.of(estimate), OptionalDouble.empty());
  }
}
