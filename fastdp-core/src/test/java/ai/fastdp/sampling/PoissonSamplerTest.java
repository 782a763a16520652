/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Poisson sampling. Statistical tests have fixed seeds; with free ones each would reject a right
 * sampler with a probability of at most 1e-9, as normal tails beyond 6.2 standard deviations have.
 */
final class PoissonSamplerTest {
  private static final double DEVIATIONS = 6.2;

  @ParameterizedTest(name = "rate {0}")
  @ValueSource(doubles = {0.001, 0.01, 0.1, 0.37, 0.5, 0.9, 0.999})
  void sample_anyRate_everyIndexHasTheSameMarginalRate(double rate) {
    int size = 50;
    int draws = 100_000;
    PoissonSampler sampler = new PoissonSampler(rate, new Random(11));
    double[] counts = new double[size];
    for (int i = 0; i < draws; i++) {
      for (long index : sampler.sample(1, size)) {
        counts[(int) index]++;
      }
    }
    double deviation = Math.sqrt(draws * rate * (1 - rate));
    for (double count : counts) {
      // Fifty indices and seven rates: 350 tails of 6e-10 together.
      assertThat((count - draws * rate) / deviation).isBetween(-DEVIATIONS, DEVIATIONS);
    }
    double whole = Arrays.stream(counts).sum();
    assertThat((whole - size * draws * rate) / (deviation * Math.sqrt(size)))
        .isBetween(-DEVIATIONS, DEVIATIONS);
  }

  @ParameterizedTest(name = "distance {0}")
  @ValueSource(ints = {1, 2, 7})
  void sample_twoIndices_areIndependent(int distance) {
    double rate = 0.3;
    int size = 40;
    int draws = 50_000;
    PoissonSampler sampler = new PoissonSampler(rate, new Random(12));
    double sum = 0;
    double pairs = 0;
    boolean[] previous = new boolean[size];
    double acrossDraws = 0;
    for (int i = 0; i < draws; i++) {
      boolean[] in = new boolean[size];
      for (long index : sampler.sample(1, size)) {
        in[(int) index] = true;
      }
      for (int j = 0; j + distance < size; j++) {
        sum += (in[j] ? 1 - rate : -rate) * (in[j + distance] ? 1 - rate : -rate);
        acrossDraws += (in[j] ? 1 - rate : -rate) * (previous[j] ? 1 - rate : -rate);
        pairs++;
      }
      previous = in;
    }
    // A product of two independent centred indicators has variance (q (1 - q))^2.
    double deviation = rate * (1 - rate) * Math.sqrt(pairs);
    assertThat(sum / deviation).isBetween(-DEVIATIONS, DEVIATIONS);
    assertThat(acrossDraws / deviation).isBetween(-DEVIATIONS, DEVIATIONS);
  }

  @Test
  void sample_batchSize_hasTheBinomialVariance() {
    double rate = 0.05;
    int size = 400;
    int draws = 40_000;
    PoissonSampler sampler = new PoissonSampler(rate, new Random(13));
    double variance = size * rate * (1 - rate);
    double square = 0;
    for (int i = 0; i < draws; i++) {
      double off = sampler.sample(1, size).length - size * rate;
      square += off * off;
    }
    // The mean of squares of nearly normal numbers has relative deviation sqrt(2 / draws).
    double relative = square / draws / variance - 1;
    assertThat(relative / Math.sqrt(2.0 / draws)).isBetween(-DEVIATIONS, DEVIATIONS);
  }

  @Test
  void sample_rateOne_takesAll() {
    PoissonSampler sampler = new PoissonSampler(1, new Random(1));
    assertThat(sampler.sample(1, 1000)).containsExactly(LongStream.range(0, 1000).toArray());
    assertThat(sampler.sample(1, 0)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(doubles = {1e-9, 1e-18, 1e-300, Double.MIN_VALUE})
  void sample_tinyRate_isEmptyAndEnds(double rate) {
    // The probability of a sample in all draws together is at most 1e-3, and the seed is fixed.
    PoissonSampler sampler = new PoissonSampler(rate, new Random(2));
    for (int i = 0; i < 1000; i++) {
      assertThat(sampler.sample(1, 1000)).isEmpty();
    }
  }

  @Test
  void sample_tinyRateOfManySamples_hasTheRightMean() {
    PoissonSampler sampler = new PoissonSampler(1e-9, new Random(3));
    long count = 0;
    for (int i = 0; i < 1000; i++) {
      count += sampler.sample(1, 10_000_000_000L).length;
    }
    // Poisson with mean 10,000.
    assertThat((count - 10_000) / 100.0).isBetween(-DEVIATIONS, DEVIATIONS);
  }

  @Test
  void sample_anyDraw_isIncreasingAndInRange() {
    PoissonSampler sampler = new PoissonSampler(0.6, new Random(4));
    for (int i = 0; i < 500; i++) {
      long[] indices = sampler.sample(1, 37);
      for (int j = 0; j < indices.length; j++) {
        assertThat(indices[j]).isBetween(j == 0 ? 0 : indices[j - 1] + 1, 36L);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, 0, -1, 1.0000001, Double.POSITIVE_INFINITY})
  void construct_rateOutsideUnitInterval_isRefused(double rate) {
    assertThatThrownBy(() -> new PoissonSampler(rate, new Random(1)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("sampleRate must be in (0, 1], got " + rate);
  }
}
