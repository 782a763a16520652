/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import java.math.BigDecimal;
import java.math.BigInteger;
import org.apache.commons.math3.dfp.Dfp;
import org.apache.commons.math3.dfp.DfpField;
import org.apache.commons.rng.UniformRandomProvider;

/**
 * Integers from the discrete Gaussian distribution, \(\Pr[Y = y] \propto e^{-y^2 / 2 s^2}\),
 * exactly.
 *
 * <p>Rejection sampling from the discrete Laplace distribution. Each decision compares random bits
 * with \(e^{-x}\) for a rational x: in float64 where its error cannot matter, which is all but one
 * time in 10^12, and with as many digits as it takes otherwise.
 *
 * @see <a href="https://arxiv.org/abs/2004.00010">Canonne, Kamath and Steinke 2020, algorithms
 *     1-3</a>
 */
final class DiscreteGaussian {
  /** The largest parameter: integers then stay below 2^53, which float64 holds exactly. */
  static final double LARGEST = 0x1p45;

  // Twice the error that exp(-x) has in float64 for the x of this class, see decide.
  private static final double DOUBT = 0x1p-40;
  private static final double UNIT = 0x1p-63;
  private static final double INVERSE_E = Math.exp(-1);

  private final double deviation;
  private final long scale;
  private final double shift;

  /**
   * Creates the distribution.
   *
   * @param deviation the parameter s, which the standard deviation equals but for tiny ones
   */
  DiscreteGaussian(double deviation) {
    if (!(deviation > 0 && deviation <= LARGEST)) {
      throw new IllegalArgumentException(
          "deviation on the grid must be in (0, 2^45], got " + deviation);
    }
    this.deviation = deviation;
    scale = (long) deviation + 1;
    shift = deviation * deviation / scale;
  }

  /** Draws an integer. */
  long next(UniformRandomProvider random) {
    while (true) {
      long candidate = laplace(random);
      double z = (Math.abs(candidate) - shift) / deviation;
      if (decide(random, Math.exp(-z * z / 2), () -> exponent(candidate))) {
        return candidate;
      }
    }
  }

  /** An integer y with probability proportional to exp(-|y| / t), t the scale. */
  private long laplace(UniformRandomProvider random) {
    while (true) {
      long rest = random.nextLong(scale);
      if (!decide(
          random,
          Math.exp(-(double) rest / scale),
          () -> new Ratio(BigInteger.valueOf(rest), BigInteger.valueOf(scale)))) {
        continue;
      }
      long whole = 0;
      while (decide(random, INVERSE_E, () -> new Ratio(BigInteger.ONE, BigInteger.ONE))) {
        whole++;
      }
      long size = Math.addExact(rest, Math.multiplyExact(scale, whole));
      boolean negative = random.nextBoolean();
      if (size > 0 || !negative) {
        return negative ? -size : size;
      }
    }
  }

  /** (|y| - s^2/t)^2 / (2 s^2), as integers. */
  private Ratio exponent(long candidate) {
    BigDecimal s = new BigDecimal(deviation);
    BigDecimal square = s.multiply(s);
    BigDecimal t = BigDecimal.valueOf(scale);
    // (|y| t - s^2)^2 / (2 s^2 t^2), both made integers by a power of ten.
    BigDecimal root = BigDecimal.valueOf(Math.abs(candidate)).multiply(t).subtract(square);
    BigDecimal numerator = root.multiply(root);
    BigDecimal denominator = square.multiply(t).multiply(t).multiply(BigDecimal.valueOf(2));
    int digits = Math.max(0, Math.max(numerator.scale(), denominator.scale()));
    return new Ratio(
        numerator.movePointRight(digits).toBigIntegerExact(),
        denominator.movePointRight(digits).toBigIntegerExact());
  }

  private record Ratio(BigInteger numerator, BigInteger denominator) {}

  private interface Exponent {
    Ratio exact();
  }

  /**
   * True with probability exp(-x) exactly.
   *
   * @param near exp(-x) in float64. Its error is below 2^-41: x has a relative error of 2^-51 for
   *     quotients; for squares z^2 / 2 the error of z is below 2^-50 (|z| + 2), and z exp(-z^2/2)
   *     (z + 2) is below 4
   * @param exponent x itself
   */
  private static boolean decide(UniformRandomProvider random, double near, Exponent exponent) {
    long bits = random.nextLong() >>> 1;
    double uniform = bits * UNIT;
    if (uniform < near - DOUBT) {
      return true;
    }
    if (uniform > near + DOUBT) {
      return false;
    }
    return decideExactly(random, bits, exponent.exact());
  }

  /** The number in [0, 1) that goes on from the first 63 bits, against exp(-x). */
  static boolean decideExactly(
      UniformRandomProvider random, long first, BigInteger p, BigInteger q) {
    return decideExactly(random, first, new Ratio(p, q));
  }

  private static boolean decideExactly(UniformRandomProvider random, long first, Ratio x) {
    BigInteger bits = BigInteger.valueOf(first);
    int count = 63;
    while (true) {
      // As many digits as the bits are worth, and some for the rounding of the exponential.
      int digits = count * 3 / 10 + 20;
      DfpField field = new DfpField(digits);
      Dfp exp =
          field
              .newDfp(x.numerator().toString())
              .divide(field.newDfp(x.denominator().toString()))
              .negate()
              .exp();
      BigDecimal value = new BigDecimal(exp.toString());
      BigDecimal width = new BigDecimal(BigInteger.ONE).movePointLeft(digits - 10);
      BigDecimal low = new BigDecimal(bits).divide(new BigDecimal(BigInteger.ONE.shiftLeft(count)));
      BigDecimal high =
          new BigDecimal(bits.add(BigInteger.ONE))
              .divide(new BigDecimal(BigInteger.ONE.shiftLeft(count)));
      if (high.compareTo(value.subtract(width)) <= 0) {
        return true;
      }
      if (low.compareTo(value.add(width)) >= 0) {
        return false;
      }
      bits = bits.shiftLeft(64).add(new BigInteger(Long.toUnsignedString(random.nextLong())));
      count += 64;
    }
  }
}
