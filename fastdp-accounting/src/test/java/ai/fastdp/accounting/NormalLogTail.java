/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

import org.apache.commons.numbers.gamma.Erfc;
import org.apache.commons.numbers.gamma.Erfcx;

/** The logarithm of the standard normal distribution's tail. */
public final class NormalLogTail {

  private static final double SQRT_HALF = Math.sqrt(0.5);

  private NormalLogTail() {}

  /** log P(X &gt; z); finite for every finite z. */
  public static double above(double z) {
    return z < 0
        ? Math.log1p(-0.5 * Erfc.value(-z * SQRT_HALF))
        : Math.log(0.5 * Erfcx.value(z * SQRT_HALF)) - z * z / 2;
  }
}
