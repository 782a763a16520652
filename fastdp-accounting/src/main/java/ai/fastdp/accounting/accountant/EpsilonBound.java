/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.accountant;

import java.util.OptionalDouble;

/**
 * Bounds of the epsilon of a composition at one delta.
 *
 * <p>{@code lower} and {@code upper} are guarantees, {@code estimate} is not. An accountant leaves
 * empty what it cannot vouch for. Only {@code upper} may be used to enforce a budget.
 *
 * @param lower epsilon is at least this
 * @param estimate best guess of epsilon
 * @param upper epsilon is at most this; may be positive infinity
 */
public record EpsilonBound(OptionalDouble lower, OptionalDouble estimate, OptionalDouble upper) {

  /**
   * Checks that the present values are non-negative and ordered.
   *
   * @param lower as described above
   * @param estimate as described above
   * @param upper as described above
   * @throws IllegalArgumentException if a value is negative or NaN or the order is violated
   */
  public EpsilonBound {
    OrderedBounds.require(lower, estimate, upper);
  }

  /**
   * Returns the bounds where nothing was spent.
   *
   * @return 0 as lower, estimate and upper
   */
  public static EpsilonBound zero() {
    return exact(0);
  }

  /**
   * Returns the bounds of a value known up to rounding.
   *
   * @param epsilon the value
   * @return the value as lower, estimate and upper
   */
  public static EpsilonBound exact(double epsilon) {
    return interval(epsilon, epsilon, epsilon);
  }

  /**
   * Returns a two-sided guarantee.
   *
   * @param lower epsilon is at least this
   * @param estimate best guess
   * @param upper epsilon is at most this
   * @return all three
   */
  public static EpsilonBound interval(double lower, double estimate, double upper) {
    return new EpsilonBound(
        OptionalDouble.of(lower), OptionalDouble.of(estimate), OptionalDouble.of(upper));
  }

  /**
   * Returns a guarantee that epsilon is not larger.
   *
   * @param upper epsilon is at most this
   * @return the upper bound alone
   */
  public static EpsilonBound atMost(double upper) {
    return new EpsilonBound(
        OptionalDouble.empty(), OptionalDouble.empty(), OptionalDouble.of(upper));
  }

  /**
   * Returns an estimate without any guarantee.
   *
   * @param estimate best guess
   * @return the estimate alone
   */
  public static EpsilonBound approximately(double estimate) {
    return new EpsilonBound(
        OptionalDouble.empty(), OptionalDouble.of(estimate), OptionalDouble.empty());
  }

  /**
   * Returns whether this proves that epsilon stays within a limit.
   *
   * @param epsilon the limit
   * @return true if an upper bound is known and is at most {@code epsilon}
   */
  public boolean isProvenWithin(double epsilon) {
    return upper.isPresent() && upper.getAsDouble() <= epsilon;
  }
}
