/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;
import java.nio.LongBuffer;

/**
 * Integers from the discrete Gaussian distribution, \(\Pr[Y = y] \propto \rho(y) = e^{-y^2 / 2
 * s^2}\), exactly.
 *
 * <p>Rejection sampling with an envelope of steps. The integers from 0 on are cut into cells of the
 * same weight W: cell j has the \(n_j\) integers from \(x_j\) on and the height \(W / n_j \ge
 * \rho(x_j)\). The last cell is the tail from \(x\) on, in pieces of \(L \ge s^2 \ln 2 / x\)
 * integers; piece k has the height \(2^{-k} W / 2L\), with \(W / 2L \ge \rho(x)\). A draw is
 *
 * <ol>
 *   <li>a cell by 8 bits (fewer for small s, which has fewer cells), a sign by one and in the tail
 *       a piece k by coin tosses, with probability \(2^{-k-1}\);
 *   <li>a real number U, uniform in [0, 1). \(\lfloor n U \rfloor\) is the place in the cell or
 *       piece, of n integers, and what is left, \(f = n U - \lfloor n U \rfloor\), is uniform and
 *       independent of it;
 *   <li>the integer x there, if \(f < \rho(x) / h\), h the height; else another draw. Zero with a
 *       negative sign is no result either, so that zero counts once.
 * </ol>
 *
 * <p>An integer of size x comes from one draw with probability \(\frac{1}{2 \cdot 256} \frac1n
 * \frac{\rho(x)}{W/n} = \rho(x) / 512 W\) in a cell and \(\frac{1}{512} 2^{-k-1} \frac1L
 * \frac{\rho(x)}{2^{-k} W / 2L}\), the same, in the tail, as no height is below \(\rho\): in the
 * tail because \(\rho(x + kL) \le \rho(x) e^{-kLx/s^2} \le 2^{-k} \rho(x)\). Nothing else is asked
 * of W, n and L, whose rounding therefore costs speed and not exactness.
 *
 * <p>U is known to 55 bits at first. They decide where float64 with its error says so; as many more
 * are drawn as it takes otherwise, and compared with as many digits of \(\rho\): one time in
 * \(2^{55} / n\) or \(10^{11}\), whichever is less.
 *
 * @see <a href="https://arxiv.org/abs/2004.00010">Canonne, Kamath and Steinke 2020 (the
 *     distribution)</a>
 * @see <a href="https://eprint.iacr.org/2013/510">Buchmann, Cabarcas, Göpfert, Hülsing and Weiden
 *     2013 (cells of the same weight)</a>
 */
final class DiscreteGaussian {
  /** The largest parameter: integers then stay below 2^53, which float64 holds exactly. */
  static final double LARGEST = 0x1p45;

  private static final int CELL_BITS = 8;
  private static final int PLACE_BITS = Long.SIZE - 1 - CELL_BITS;

  // What a relative error of a weight stays below, see exponent.
  private static final double MARGIN = 0x1p-40;
  // What the error of a probability stays below, see probability.
  private static final double DOUBT = 0x1p-40;

  private static final long REJECTED = -1;
  private static final double LN_2 = StrictMath.log(2);

  private final double deviation;
  private final double weight;
  private final int tail;
  private final long[] firsts;
  private final long[] counts;
  // A place whose rest, in units of 2^-63, is below this is accepted whatever the later bits are.
  private final long[] safe;

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
    // A cell of a few integers wastes little by its rounding.
    int wanted = (int) Math.min(1 << CELL_BITS, deviation / 4);
    int cells = Math.max(2, Integer.highestOneBit(wanted));
    tail = cells - 1;
    weight = leastWeight();
    firsts = new long[cells];
    counts = new long[cells];
    safe = new long[cells];
    for (int j = 0; j < tail; j++) {
      counts[j] = (long) cellSize(weight, (double) firsts[j]);
      firsts[j + 1] = firsts[j] + counts[j];
      double least = probability(firsts[j + 1] - 1, counts[j], 0);
      safe[j] = Math.max(0, (long) ((least - DOUBT) * 0x1p63 - counts[j] * 0x1p8) - 1);
    }
    counts[tail] = (long) pieceSize((double) firsts[tail]);
  }

  /** Nearly the least weight for which the tail's cell is as heavy as the others. */
  private double leastWeight() {
    double enough = 1;
    while (!suffices(enough)) {
      enough *= 2;
    }
    double little = 0;
    while (enough - little > enough * 0x1p-20) {
      double middle = (little + enough) / 2;
      if (suffices(middle)) {
        enough = middle;
      } else {
        little = middle;
      }
    }
    return enough;
  }

  private boolean suffices(double weight) {
    double x = 0;
    for (int j = 0; j < tail; j++) {
      double size = cellSize(weight, x);
      if (size < 1) {
        return false;
      }
      x += size;
      if (x > 64 * deviation + 64) {
        return true; // So far out that any tail is light enough.
      }
    }
    return 2 * pieceSize(x) * StrictMath.exp(-exponent(x)) * (1 + MARGIN) <= weight;
  }

  /** The largest n, rounded down, with W / n at least rho(x). */
  private double cellSize(double weight, double x) {
    return Math.floor(weight * StrictMath.exp(exponent(x)) * (1 - MARGIN));
  }

  /** The least L, rounded up, with L x / s^2 at least ln 2; 1 where s^2 underflows. */
  private double pieceSize(double x) {
    return Math.max(1, Math.ceil(deviation / x * deviation * LN_2 * (1 + MARGIN)));
  }

  /**
   * x^2 / 2 s^2, with a relative error below 2^-51. Where a cell begins it is below 80, or exp(-it)
   * too small to matter beside W.
   */
  private double exponent(double x) {
    double z = x / deviation;
    return z * z / 2;
  }

  /**
   * rho(x) / h for the height h of a cell, or with halvings k + 1 of piece k, which is at most 1.
   *
   * <p>Its error is that of the exponents, 2^-51 (x^2 / 2 s^2 + (k + 1) ln 2), times the result p,
   * and a few 2^-53. Let z be the exponent at the tail's beginning. There p is at most \(2 L
   * e^{-z}\), L at most s^2 + 1 < 2^91, so that z p is below 65; and p falls by the factor
   * \(e^{-D}\) from there, \(D \ge (k L)^2 / 2 s^2 \ge (k \ln 2)^2 / 4 z\), while the exponents
   * grow by D + k ln 2. Their product with p stays below 2^9, the error below 2^-42. Where L was
   * rounded up, by a factor r, the exponents grow by k (r - 1) ln 2 more and p falls by the factor
   * \(2^{-k (r - 1)}\) more.
   */
  private double probability(long x, long count, int halvings) {
    return Math.exp(halvings * LN_2 - exponent((double) x)) * count / weight;
  }

  /** W. */
  double weight() {
    return weight;
  }

  /** Draws an integer. */
  long next(StreamWords words) {
    while (true) {
      long word = words.next();
      int cell = (int) word & tail;
      long place = word >>> (CELL_BITS + 1);
      long size = cell == tail ? tail(words) : decide(words, place, firsts[cell], counts[cell], 0);
      boolean negative = isNegative(word);
      if (size > 0 || (size == 0 && !negative)) {
        return negative ? -size : size;
      }
    }
  }

  /** Fills the first {@code count} places with what as many calls of {@link #next} would give. */
  void fill(StreamWords words, LongBuffer integers, int count) {
    int done = 0;
    while (done < count) {
      int most = Math.min(count - done, words.ready());
      int run = core(words.block(), words.position(), integers, done, most);
      words.skip(run);
      done += run;
      if (run < most) {
        integers.put(done++, next(words));
      }
    }
  }

  /** Takes words until one is not safely accepted; most of the time is spent here. */
  private int core(long[] words, int first, LongBuffer integers, int from, int most) {
    for (int k = 0; k < most; k++) {
      long word = words[first + k];
      int cell = (int) word & tail;
      // n U in units of 2^-64, U's bits below the first 55 taken as zero.
      long place = (word >>> 1) & (-1L << CELL_BITS);
      long twice = counts[cell] << 1;
      long size = firsts[cell] + Math.multiplyHigh(place, twice);
      long sign = (word >>> CELL_BITS) & 1;
      if ((place * twice) >>> 1 >= safe[cell] || size < sign) {
        return k;
      }
      integers.put(from + k, (size ^ -sign) + sign);
    }
    return most;
  }

  private static boolean isNegative(long word) {
    return ((word >>> CELL_BITS) & 1) != 0;
  }

  private long tail(StreamWords words) {
    int piece = 0;
    long coins = words.next();
    while (coins == 0) {
      piece = Math.addExact(piece, Long.SIZE);
      coins = words.next();
    }
    piece += Long.numberOfTrailingZeros(coins);
    long first = Math.addExact(firsts[tail], Math.multiplyExact(counts[tail], (long) piece));
    long place = words.next() >>> (CELL_BITS + 1);
    return decide(words, place, first, counts[tail], piece + 1);
  }

  /** The integer at a place of which the first bits are known, or {@link #REJECTED}. */
  private long decide(StreamWords words, long place, long first, long count, int halvings) {
    long high = Math.multiplyHigh(place << CELL_BITS, count << 1);
    long low = (place << CELL_BITS) * (count << 1);
    double least = (low >>> 11) * 0x1p-53;
    double most = least + 0x1p-53 + count * 0x1p-55;
    long x = first + high;
    double probability = probability(x, count, halvings);
    if (most <= probability - DOUBT) {
      return x;
    }
    // Not at 1, which a number above may be rounded to: the place may be the next integer's.
    if (least >= probability + DOUBT && most < 1) {
      return REJECTED;
    }
    return decideExactly(words, place, first, count, halvings);
  }

  /** The same by as many bits and digits as it takes. */
  long decideExactly(StreamWords words, long firstBits, long first, long count, int halvings) {
    BigInteger bits = BigInteger.valueOf(firstBits);
    BigInteger n = BigInteger.valueOf(count);
    int known = PLACE_BITS;
    while (true) {
      // n U is at least least / 2^known and below most / 2^known.
      BigInteger least = bits.multiply(n);
      BigInteger most = least.add(n);
      BigInteger index = least.shiftRight(known);
      if (most.subtract(BigInteger.ONE).shiftRight(known).equals(index)) {
        BigInteger whole = index.shiftLeft(known);
        long x = first + index.longValueExact();
        int side = side(x, least.subtract(whole), most.subtract(whole), n, known, halvings);
        if (side != 0) {
          return side < 0 ? x : REJECTED;
        }
      }
      bits = bits.shiftLeft(Long.SIZE).add(new BigInteger(Long.toUnsignedString(words.next())));
      known += Long.SIZE;
    }
  }

  /**
   * Where f is against rho(x) / h, for f from {@code least} to {@code most} in units of 2^-known:
   * below, above, or 0 for unknown. f h is \(f W / 2^{halvings} n\).
   */
  private int side(
      long x, BigInteger least, BigInteger most, BigInteger n, int known, int halvings) {
    BigDecimal square = new BigDecimal(BigInteger.valueOf(x).pow(2));
    BigDecimal twice = new BigDecimal(deviation).pow(2).multiply(BigDecimal.valueOf(2));
    if (square.compareTo(twice.multiply(BigDecimal.valueOf(1L << 20))) > 0) {
      // rho is below 2^(-1.4 * 2^20), and what it is compared with is not, unless it is zero.
      return least.signum() > 0 && known + halvings < 1 << 20 ? 1 : 0;
    }
    // As many digits as the bits are worth, and some for the height.
    int digits = known * 3 / 10 + 40;
    BigDecimal rho = exponential(square, twice, digits);
    BigDecimal error = rho.movePointLeft(digits);
    BigDecimal w = new BigDecimal(weight);
    BigDecimal divisor = new BigDecimal(n.shiftLeft(known + halvings));
    BigDecimal above =
        new BigDecimal(most)
            .multiply(w)
            .divide(divisor, new MathContext(digits, RoundingMode.CEILING));
    if (above.compareTo(rho.subtract(error)) <= 0) {
      return -1;
    }
    BigDecimal below =
        new BigDecimal(least)
            .multiply(w)
            .divide(divisor, new MathContext(digits, RoundingMode.FLOOR));
    return below.compareTo(rho.add(error)) >= 0 ? 1 : 0;
  }

  /** exp(-p / q) with a relative error below 10^-digits, for p / q up to 2^20. */
  private static BigDecimal exponential(BigDecimal p, BigDecimal q, int digits) {
    // (exp(-p / q 2^k))^(2^k), of an argument below 2^-12. Squaring doubles an error, and 2^32 is
    // below 10^10.
    int squarings = 32;
    MathContext context = new MathContext(digits + 20);
    BigDecimal y =
        p.divide(q.multiply(new BigDecimal(BigInteger.ONE.shiftLeft(squarings))), context);
    BigDecimal term = BigDecimal.ONE;
    BigDecimal sum = BigDecimal.ONE;
    BigDecimal least = BigDecimal.ONE.movePointLeft(digits + 20);
    for (int n = 1; term.abs().compareTo(least) > 0; n++) {
      term = term.multiply(y, context).divide(BigDecimal.valueOf(-n), context);
      sum = sum.add(term, context);
    }
    for (int k = 0; k < squarings; k++) {
      sum = sum.multiply(sum, context);
    }
    return sum;
  }
}
