/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.numeric;

/** Argument checks, written so that NaN fails them. */
public final class Require {

  private Require() {}

  public static void finitePositive(String name, double value) {
    if (!(value > 0 && value < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(name + " must be finite and > 0, got " + value);
    }
  }

  public static void finiteNonNegative(String name, double value) {
    if (!(value >= 0 && value < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(name + " must be finite and >= 0, got " + value);
    }
  }

  public static void probability(String name, double value) {
    if (!(value >= 0 && value <= 1)) {
      throw new IllegalArgumentException(
          name + " must be in [0, 1], got " + value + "; it is a probability");
    }
  }

  public static void delta(double value) {
    if (!(value > 0 && value < 1)) {
      throw new IllegalArgumentException(
          "delta must be in (0, 1), got "
              + value
              + "; choose it well below 1 / (number of records)");
    }
  }

  public static void nonNegative(String name, long value) {
    if (value < 0) {
      throw new IllegalArgumentException(name + " must be >= 0, got " + value);
    }
  }
}
