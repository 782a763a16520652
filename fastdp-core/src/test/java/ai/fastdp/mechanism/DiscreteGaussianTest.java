/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.util.Random;
import org.apache.commons.math3.dfp.Dfp;
import org.apache.commons.math3.dfp.DfpField;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The integers' probabilities: measured, by finding out which words lead to which integer, against
 * decimal arithmetic; and drawn. With free seeds each statistic would reject right noise with a
 * probability of at most 1e-9.
 */
@Tag("slow")
final class DiscreteGaussianTest {
  private static final double DEVIATIONS = 6.2;
  private static final int PLACE_BITS = 55;
  private static final MathContext DIGITS = new MathContext(120);
  private static final DfpField FIELD = new DfpField(120);

  private static StreamWords seeded(long seed) {
    return new StreamWords(PredictableNoise.seeded(seed).stream(0));
  }

  /** These words and then zeros, which give the integer 0. */
  private static StreamWords words(long... words) {
    return new StreamWords(
        bytes -> {
          ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
          buffer.asLongBuffer().put(words);
        });
  }

  /** The word that chooses a cell, a sign and a place. */
  private static long word(long cell, boolean negative, long place) {
    return place << 9 | (negative ? 256 : 0) | cell;
  }

  /** exp(-x^2 / 2 s^2) by another library's decimal arithmetic. */
  private static BigDecimal rho(double deviation, long x) {
    Dfp s = FIELD.newDfp(new BigDecimal(deviation).toString());
    Dfp z = FIELD.newDfp(x).divide(s);
    return new BigDecimal(z.multiply(z).divide(2).negate().exp().toString());
  }

  /** A cell, or a piece of the tail, as the words see it. */
  private record Part(DiscreteGaussian gaussian, int cells, int cell, int piece) {
    private boolean isTail() {
      return cell == cells - 1;
    }

    private StreamWords at(long place) {
      return isTail()
          ? words(word(cell, false, 0), 1L << piece, word(0, false, place))
          : words(word(cell, false, place));
    }

    /** The number at a place, which the least rest accepts. */
    long first() {
      return gaussian.next(at(0));
    }

    Part next() {
      return isTail()
          ? new Part(gaussian, cells, cell, piece + 1)
          : new Part(gaussian, cells, cell + 1, 0);
    }

    long count() {
      return next().first() - first();
    }

    /** The probability that a draw gives this integer of the part, with a positive sign. */
    double probability(long index) {
      long count = count();
      long wanted = first() + index;
      long begin = start(index, count);
      long accepted = begin - 1;
      long other = start(index + 1, count);
      while (other - accepted > 1) {
        long middle = accepted + (other - accepted) / 2;
        StreamWords stream = at(middle);
        long result = gaussian.next(stream);
        // A rejected draw goes on with zeros.
        boolean direct = wanted != 0 || stream.position() == 1;
        if (result == wanted && direct) {
          accepted = middle;
        } else {
          other = middle;
        }
      }
      double ofPart = Math.scalb(1.0, isTail() ? -piece - 1 : 0) / cells;
      return Math.scalb((double) (other - begin), -PLACE_BITS) * ofPart / 2;
    }

    /** The first place at an index. */
    private static long start(long index, long count) {
      BigInteger numerator = BigInteger.valueOf(index).shiftLeft(PLACE_BITS);
      BigInteger n = BigInteger.valueOf(count);
      return numerator.add(n).subtract(BigInteger.ONE).divide(n).longValueExact();
    }
  }

  private static int cells(double deviation) {
    int cells = 2;
    while (cells < 256 && 2 * cells <= deviation / 4) {
      cells *= 2;
    }
    return cells;
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.3, 0.5, 1, 1.5, 3.7, 10, 33.3, 150})
  void next_everyWord_givesTheDistributionsProbabilities(double deviation) {
    DiscreteGaussian gaussian = new DiscreteGaussian(deviation);
    int cells = cells(deviation);
    double one = Double.NaN;
    long x = 0;
    for (Part part = new Part(gaussian, cells, 0, 0); part.piece() < 6; part = part.next()) {
      assertThat(part.first()).as("cells leave nothing out").isEqualTo(x);
      long count = part.count();
      for (long index = 0; index < count; index++, x++) {
        // All of the smaller ones, and some of the others.
        if (index > 2 && index < count - 1 && index % 31 != 0) {
          continue;
        }
        double probability = part.probability(index);
        double rho = rho(deviation, x).doubleValue();
        if (x == 0) {
          one = probability;
        }
        // Zero is found to be accepted by its words, up to where float64 does not decide.
        double error = 1e-11 * rho + Math.scalb((double) count * cells, -PLACE_BITS + 4);
        assertThat(probability / one).as("of %d", x).isCloseTo(rho, within(error));
      }
    }
    // Nearly all draws are accepted: what the cells are for.
    double half = 0.5;
    for (long y = 1; y < 40 * deviation + 1; y++) {
      half += rho(deviation, y).doubleValue();
    }
    assertThat(2 * half * one).isGreaterThan(deviation < 16 ? 0.2 : 0.8);
  }

  @ParameterizedTest
  @ValueSource(doubles = {4096.5, 1e7, 3.3e10})
  void next_wordsOfLargeDeviations_giveTheDistributionsProbabilities(double deviation) {
    DiscreteGaussian gaussian = new DiscreteGaussian(deviation);
    Random random = new Random(3);
    double one = new Part(gaussian, 256, 0, 0).probability(0);
    for (int cell = 0; cell < 256; cell += cell < 250 ? 5 : 1) {
      for (int piece = 0; piece < (cell == 255 ? 8 : 1); piece++) {
        Part part = new Part(gaussian, 256, cell, piece);
        long count = part.count();
        for (long index : new long[] {0, count - 1, (long) (random.nextDouble() * count)}) {
          double rho = rho(deviation, part.first() + index).doubleValue();
          double error = 1e-11 * rho + 4 * count * Math.scalb(1.0, -PLACE_BITS);
          double scale = one * count * 256;
          // The rest is known to so many bits that the probability within the cell is.
          assertThat(part.probability(index) / one)
              .as("cell %d, piece %d, index %d", cell, piece, index)
              .isCloseTo(rho, within(error / Math.min(1, scale)));
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.05, 0.3, 0.5, 1, 1.5, 3.7, 10, 40})
  void next_smallDeviation_hasTheDistributionsProbabilities(double deviation) {
    StreamWords words = seeded(1);
    DiscreteGaussian gaussian = new DiscreteGaussian(deviation);
    int draws = 400_000;
    int reach = (int) Math.ceil(5 * deviation) + 1;
    long[] counts = new long[2 * reach + 1];
    for (int i = 0; i < draws; i++) {
      long y = gaussian.next(words);
      if (Math.abs(y) <= reach) {
        counts[(int) y + reach]++;
      }
    }
    double total = 0;
    for (int y = -40 * reach; y <= 40 * reach; y++) {
      total += Math.exp(-(double) y * y / (2 * deviation * deviation));
    }
    for (int y = -reach; y <= reach; y++) {
      double p = Math.exp(-(double) y * y / (2 * deviation * deviation)) / total;
      double expected = draws * p;
      if (expected < 20) {
        assertThat(counts[y + reach]).as("count of %d", y).isLessThan(100);
        continue;
      }
      double score = (counts[y + reach] - expected) / Math.sqrt(expected * (1 - p) + 1);
      assertThat(score).as("count of %d", y).isBetween(-DEVIATIONS, DEVIATIONS);
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {1000.25, 1e7, 3e13})
  void next_largeDeviation_hasNormalMoments(double deviation) {
    StreamWords words = seeded(2);
    DiscreteGaussian gaussian = new DiscreteGaussian(deviation);
    int draws = 4_000_000;
    double[] sums = new double[4];
    for (int i = 0; i < draws; i++) {
      double z = gaussian.next(words) / deviation;
      sums[0] += z;
      sums[1] += z * z;
      sums[2] += z * z * z;
      sums[3] += z * z * z * z;
    }
    double root = Math.sqrt(draws);
    assertThat(sums[0] / root).isBetween(-DEVIATIONS, DEVIATIONS);
    assertThat((sums[1] / draws - 1) * root / Math.sqrt(2)).isBetween(-DEVIATIONS, DEVIATIONS);
    assertThat(sums[2] / root / Math.sqrt(15)).isBetween(-DEVIATIONS, DEVIATIONS);
    assertThat((sums[3] / draws - 3) * root / Math.sqrt(96)).isBetween(-DEVIATIONS, DEVIATIONS);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.7, 40, 4096, 1e7, 3e13})
  void fill_anySizeOfBlocks_givesTheNumbersOfNext(double deviation) {
    DiscreteGaussian gaussian = new DiscreteGaussian(deviation);
    StreamWords one = seeded(4);
    StreamWords other = seeded(4);
    for (int count : new int[] {1, 5, 1_023, 1_024, 1_025, 70_000}) {
      LongBuffer integers = LongBuffer.allocate(count);
      gaussian.fill(one, integers, count);
      for (int i = 0; i < count; i++) {
        assertThat(integers.get(i)).isEqualTo(gaussian.next(other));
      }
    }
  }

  @ParameterizedTest(name = "2^{0} times as likely")
  @ValueSource(ints = {0, 3})
  void decideExactly_firstBitsTie_laterBitsDecide(int halvings) {
    double deviation = 4096.7;
    DiscreteGaussian gaussian = new DiscreteGaussian(deviation);
    // What is compared with, to 55 + 128 bits.
    BigInteger bits =
        rho(deviation, 9000)
            .multiply(BigDecimal.valueOf(1L << halvings))
            .divide(new BigDecimal(gaussian.weight()), DIGITS)
            .multiply(new BigDecimal(BigInteger.ONE.shiftLeft(PLACE_BITS + 128)))
            .setScale(0, RoundingMode.FLOOR)
            .toBigInteger();
    long first = bits.shiftRight(128).longValueExact();
    long second = bits.shiftRight(64).longValue();
    long third = bits.longValue();
    for (long[] below : new long[][] {{second - 1}, {second, third - 1}}) {
      assertThat(gaussian.decideExactly(words(below), first, 9000, 1, halvings)).isEqualTo(9000);
    }
    for (long[] above : new long[][] {{second + 1}, {second, third + 1}}) {
      assertThat(gaussian.decideExactly(words(above), first, 9000, 1, halvings)).isEqualTo(-1);
    }
  }

  @Test
  void decideExactly_bitsOnTheBorderOfTwoPlaces_laterBitsDecide() {
    DiscreteGaussian gaussian = new DiscreteGaussian(4096.7);
    // A third of 2^55, rounded down: place 0 of three, or place 1 with a rest of nearly nothing.
    long third = (1L << PLACE_BITS) / 3;
    long later =
        Long.parseUnsignedLong(
            BigInteger.ONE.shiftLeft(64).divide(BigInteger.valueOf(3)).toString());
    assertThat(gaussian.decideExactly(words(-1L), third, 100, 3, 40)).isEqualTo(101);
    assertThat(gaussian.decideExactly(words(later - 1), third, 100, 3, 40)).isEqualTo(100);
  }

  @Test
  void next_placeThatReachesIntoTheNextInteger_laterBitsDecide() {
    // Places of cells of 4 m - 1 integers whose range of rests ends just above 1.
    long third = (1L << PLACE_BITS) / 3;
    assertThat(new DiscreteGaussian(3.7).next(words(1, 1, third << 9, 0xFFFFFFFFFFFFFF00L)))
        .isEqualTo(5);
    assertThat(new DiscreteGaussian(4096.5).next(words(34462327583356838L << 9 | 92, -1L << 9)))
        .isEqualTo(1935);
  }

  @Test
  void decideExactly_hardlyLikely_endsAndIsRejected() {
    // exp(-5e7) is below what the digits' exponents hold.
    DiscreteGaussian gaussian = new DiscreteGaussian(1e-4);
    assertThat(gaussian.decideExactly(words(1), 0, 1, 1, 1)).isEqualTo(-1);
    assertThat(new DiscreteGaussian(1e-300).next(seeded(5))).isZero();
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, 0, -1, Double.POSITIVE_INFINITY, 0x1.1p45})
  void construct_deviationOutOfRange_isRefused(double deviation) {
    assertThatThrownBy(() -> new DiscreteGaussian(deviation))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("deviation on the grid must be in (0, 2^45], got " + deviation);
  }
}
