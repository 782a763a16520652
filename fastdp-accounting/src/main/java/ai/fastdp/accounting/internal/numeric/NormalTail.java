/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.numeric;

import org.apache.commons.numbers.gamma.Erfc;
import org.apache.commons.numbers.gamma.Erfcx;
import org.apache.commons.numbers.gamma.InverseErfc;

/** The standard normal distribution, accurate in both tails. */
public final class NormalTail {

  private static final double SQRT_HALF = Math.sqrt(0.5);
  private static final double ROOT_HALF_PI = Math.sqrt(Math.PI / 2);

  private NormalTail() {}

  /** P(X &gt; z). */
  public static double above(double z) {
    return 0.5 * Erfc.value(z * SQRT_HALF);
  }

  /** Mills' ratio, P(X &gt; z) over the density at z, for z that are not negative. */
  static double millsRatio(double z) {
    return ROOT_HALF_PI * Erfcx.value(z * SQRT_HALF);
  }

  /** P(a &lt; X &lt;= b) for a &lt;= b, from the smaller tails. */
  public static double between(double a, double b) {
    if (a >= 0) {
      return above(a) - above(b);
    }
    if (b <= 0) {
      return above(-b) - above(-a);
    }
    return 1 - above(-a) - above(b);
  }

  /** The z with P(X &gt; z) = p, for p in (0, 1). */
  public static double quantileAbove(double p) {
    return InverseErfc.value(2 * p) / SQRT_HALF;
  }
}
