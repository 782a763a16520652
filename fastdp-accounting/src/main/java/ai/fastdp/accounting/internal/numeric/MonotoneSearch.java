/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.numeric;

import java.util.function.DoubleUnaryOperator;

/**
 * Searches for the smallest positive x that meets a target, which is missed by a falling function
 * of x.
 *
 * @param excess positive where the target is missed
 */
public record MonotoneSearch(DoubleUnaryOperator excess) {

  /**
   * Returns an x that meets the target and is at most a little above the smallest: secant steps
   * inside a bracket (Illinois) over the logarithm, then a last step that pins both sides.
   *
   * @param bracket the range to search
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
   * Moves up in growing steps until the target is met.
   *
   * @param tooLow misses the target
   * @param limit the last to be tried
   * @return the last x that misses and the first that meets the target; both are {@code limit} if
   *     none does
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
   * Moves down in growing steps until the target is missed.
   *
   * @param enough meets it
   * @param limit the last to be tried
   * @return the first x that misses and the last that meets the target; both are {@code limit} if
   *     none misses
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
   * A range that contains the smallest x that meets the target.
   *
   * @param tooLow misses it
   * @param enough meets it
   */
  public record Bracket(double tooLow, double enough) {

    public boolean isEmpty() {
      return tooLow == enough;
    }
  }

  /** Returns by how much the target is missed at x; positive, too, if that is unknown. */
  public double at(double x) {
    double value = excess.applyAsDouble(x);
    return value <= 0 ? value : value > 0 ? value : Double.POSITIVE_INFINITY;
  }
}
