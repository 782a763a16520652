/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.Random;
import org.apache.commons.rng.UniformRandomProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** With free seeds each statistic would reject right noise with a probability of at most 1e-9. */
final class DiscreteGaussianTest {
  private static final double DEVIATIONS = 6.2;

  @ParameterizedTest
  @ValueSource(doubles = {0.05, 0.3, 0.5, 1, 1.5, 3.7, 10})
  void next_smallDeviation_hasTheDistributionsProbabilities(double deviation) {
    UniformRandomProvider random = new Random(1)::nextLong;
    DiscreteGaussian gaussian = new DiscreteGaussian(deviation);
    int draws = 400_000;
    int reach = (int) Math.ceil(5 * deviation) + 1;
    long[] counts = new long[2 * reach + 1];
    for (int i = 0; i < draws; i++) {
      long y = gaussian.next(random);
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
    UniformRandomProvider random = new Random(2)::nextLong;
    DiscreteGaussian gaussian = new DiscreteGaussian(deviation);
    int draws = 400_000;
    double[] sums = new double[4];
    for (int i = 0; i < draws; i++) {
      double z = gaussian.next(random) / deviation;
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

  @Test
  void decideExactly_firstBitsTie_laterBitsDecide() {
    // 1/e, from its published digits.
    BigDecimal inverse =
        new BigDecimal(
            "0.36787944117144232159552377016146086744581113103176783450783680169746149574489980"
                + "335714727434591964374662732527684399520824697579279012900862665358949409878309");
    BigInteger bits =
        inverse
            .multiply(new BigDecimal(BigInteger.ONE.shiftLeft(63 + 128)))
            .setScale(0, RoundingMode.FLOOR)
            .toBigInteger();
    long first = bits.shiftRight(128).longValueExact();
    long second = bits.shiftRight(64).longValue();
    long third = bits.longValue();
    BigInteger one = BigInteger.ONE;
    // One bit below is below 1/e and one above is not, in the second word as in the third.
    assertThat(DiscreteGaussian.decideExactly(words(second - 1), first, one, one)).isTrue();
    assertThat(DiscreteGaussian.decideExactly(words(second + 1), first, one, one)).isFalse();
    assertThat(DiscreteGaussian.decideExactly(words(second, third - 1), first, one, one)).isTrue();
    assertThat(DiscreteGaussian.decideExactly(words(second, third + 1), first, one, one)).isFalse();
    // A fraction that is one in lowest terms decides alike.
    BigInteger seven = BigInteger.valueOf(7);
    assertThat(DiscreteGaussian.decideExactly(words(second - 1), first, seven, seven)).isTrue();
    // Probabilities of nearly one and nearly zero.
    BigInteger tiny = BigInteger.TWO.pow(70);
    assertThat(DiscreteGaussian.decideExactly(words(0), Long.MAX_VALUE, one, tiny)).isTrue();
    assertThat(DiscreteGaussian.decideExactly(words(-1), Long.MAX_VALUE, one, tiny)).isFalse();
    assertThat(DiscreteGaussian.decideExactly(words(1), 0, BigInteger.valueOf(500), one)).isFalse();
  }

  /** A generator that gives these words and then fails. */
  private static UniformRandomProvider words(long... words) {
    int[] given = {0};
    return () -> words[given[0]++];
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, 0, -1, Double.POSITIVE_INFINITY, 0x1.1p45})
  void construct_deviationOutOfRange_isRefused(double deviation) {
    assertThatThrownBy(() -> new DiscreteGaussian(deviation))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("deviation on the grid must be in (0, 2^45], got " + deviation);
  }
}
