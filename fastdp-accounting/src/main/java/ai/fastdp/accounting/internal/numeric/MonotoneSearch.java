/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.numeric;

import java.util.function.DoubleUnaryOperator;

/**
 * By how much a target is missed, as a falling function of a positive number.
 *
 * @param excess positive where the target is missed
 */
public record MonotoneSearch(DoubleUnaryOperator excess) {

  /**
   * A number that meets the target and is at most a little above the smallest: secant steps inside
   * a bracket (Illinois) over the logarithm, then a last step that pins both sides.
   *
   * @param bracket where to search
   * @param tolerance relative width of the last bracket
   */
  public double smallest(Bracket bracket, double tolerance) {
    double low = bracket.tooLow();
    double lowExcess = at(low);
    double high = bracket.enough();
    double highExcess = at(high);
    double margin = tolerance / 4;
    int side = 0;
    while (high / low - 1 > tolerance) {
      double fraction = lowExcess / (lowExcess - highExcess);
      if (!(fraction > 0.001 && fraction < 0.999) && high / low - 1 > 1e-3) {
        fraction = 0.5;
      }
      double x = low * Math.pow(high / low, fraction);
      x = Math.max(low * (1 + margin), Math.min(high * (1 - margin), x));
      if (side == -1) {
        x = Math.min(high * (1 - margin), x * (1 + margin));
      } else if (side == 1) {
        x = Math.max(low * (1 + margin), x * (1 - margin));
      }
      double now = at(x);
      if (now > 0) {
        low = x;
        lowExcess = now;
        if (side == -1) {
          highExcess /= 2;
        }
        side = -1;
      } else {
        high = x;
        highExcess = Math.min(now, -Double.MIN_NORMAL);
        if (side == 1) {
          lowExcess /= 2;
        }
        side = 1;
      }
    }
    return high;
  }

  /**
   * The first of some numbers, ever farther apart, that meets the target.
   *
   * @param tooLow misses the target
   * @param limit the last to be tried
   * @return the last number that misses and the first that meets the target; both are {@code limit}
   *     if none does
   */
  public Bracket upwards(double tooLow, double limit) {
    double low = tooLow;
    for (double factor = 2; low < limit; factor = Math.min(factor * factor, 256)) {
      double high = Math.min(limit, low * factor);
      if (at(high) <= 0) {
        return new Bracket(low, high);
      }
      low = high;
    }
    return new Bracket(limit, limit);
  }

  /**
   * The first of some numbers, ever farther apart, that misses the target.
   *
   * @param enough meets it
   * @param limit the last to be tried
   * @return the first number that misses and the last that meets the target; both are {@code limit}
   *     if none misses
   */
  public Bracket downwards(double enough, double limit) {
    double high = enough;
    for (double factor = 2; high > limit; factor = Math.min(factor * factor, 256)) {
      double low = Math.max(limit, high / factor);
      if (at(low) > 0) {
        return new Bracket(low, high);
      }
      high = low;
    }
    return new Bracket(limit, limit);
  }

  /**
   * Two numbers around the smallest that meets the target.
   *
   * @param tooLow misses it
   * @param enough meets it
   */
  public record Bracket(double tooLow, double enough) {

    public boolean isEmpty() {
      return tooLow == enough;
    }
  }

  /** Positive if the target is missed, or if that is not known. */
  public double at(double x) {
    double value = excess.applyAsDouble(x);
    return value <= 0 ? value : value > 0 ? value : Double.POSITIVE_INFINITY;
  }
}
