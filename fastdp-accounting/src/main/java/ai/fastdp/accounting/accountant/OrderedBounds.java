/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.accountant;

import java.util.OptionalDouble;

/** The condition that bounds of epsilon and of delta share. */
final class OrderedBounds {
  private OrderedBounds() {}

  /**
   * Checks that the present values are non-negative and ordered.
   *
   * @throws IllegalArgumentException if a value is negative or NaN or the order is violated
   */
  static void require(OptionalDouble lower, OptionalDouble estimate, OptionalDouble upper) {
    requireNonNegative("lower", lower);
    requireNonNegative("estimate", estimate);
    requireNonNegative("upper", upper);
    requireOrdered("lower", lower, "estimate", estimate);
    requireOrdered("estimate", estimate, "upper", upper);
    requireOrdered("lower", lower, "upper", upper);
  }

  private static void requireNonNegative(String name, OptionalDouble value) {
    if (value.isPresent() && !(value.getAsDouble() >= 0)) {
      throw new IllegalArgumentException(name + " must be >= 0, got " + value.getAsDouble());
    }
  }

  private static void requireOrdered(
      String smallerName, OptionalDouble smaller, String largerName, OptionalDouble larger) {
    if (smaller.isPresent()
        && larger.isPresent()
        && !(smaller.getAsDouble() <= larger.getAsDouble())) {
      throw new IllegalArgumentException(
          smallerName
              + " must be <= "
              + largerName
              + ", got "
              + smaller.getAsDouble()
              + " and "
              + larger.getAsDouble());
    }
  }
}
