/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.fastdp.KernelsFixture;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.apache.commons.math3.distribution.ChiSquaredDistribution;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** With free seeds each statistic would reject right noise with a probability of at most 1e-9. */
final class DiscreteGaussianMechanismTest {
  private static final int BINS = 64;

  @RegisterExtension static final KernelsFixture FIXTURE = new KernelsFixture();

  private static Parameter parameter(long size) {
    return Parameter.builder()
        .setName("p")
        .setType(Parameter.Type.OTHER)
        .optShape(new Shape(size))
        .build();
  }

  /** The gradients of step after step from the same sum. */
  private static List<float[]> steps(
      NoiseSource source, float[] sum, double sigma, double sensitivity, double batch, int steps) {
    Parameter parameter = parameter(sum.length);
    List<float[]> gradients = new ArrayList<>();
    try (ClippedGradientSum clipped =
            new ClippedGradientSum(FIXTURE.kernels(), FIXTURE.manager(), List.of(parameter));
        DiscreteGaussianMechanism mechanism =
            new DiscreteGaussianMechanism(FIXTURE.kernels(), FIXTURE.manager(), source, batch)) {
      for (int step = 0; step < steps; step++) {
        clipped.view(parameter).addi(FIXTURE.manager().create(sum));
        mechanism.prepare(clipped);
        PrivatizedGradient gradient = mechanism.privatize(clipped, sigma, sensitivity);
        assertThat(gradient.noiseDeviation()).isEqualTo(sigma * sensitivity / batch);
        gradients.add(gradient.gradients().get(0).toFloatArray());
        clipped.clear();
      }
    }
    return gradients;
  }

  /** The spacing by its definition, found by halving. */
  private static BigDecimal spacing(double sensitivity, long size) {
    BigDecimal bound = new BigDecimal(sensitivity).pow(2).multiply(new BigDecimal("0.5").pow(24));
    BigDecimal spacing = BigDecimal.valueOf(2).pow(200);
    BigDecimal half = new BigDecimal("0.5");
    while (spacing.pow(2).multiply(BigDecimal.valueOf(size)).compareTo(bound) > 0) {
      spacing = spacing.multiply(half);
    }
    return spacing;
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "1, 3", "0.7, 1000", "1e-9, 17", "3e8, 262145", "1.0000001, 1048576"})
  void gridExponent_anySensitivityAndSize_isTheLargestThatRoundingLeavesRoomFor(
      double sensitivity, long size) {
    int exponent = DiscreteGaussianMechanism.gridExponent(sensitivity, size);
    BigDecimal found =
        exponent >= 0 ? BigDecimal.valueOf(2).pow(exponent) : new BigDecimal("0.5").pow(-exponent);
    BigDecimal exact = spacing(sensitivity, size);
    // A bound that is met exactly may cost one halving to the rounding of its root.
    assertThat(found).isLessThanOrEqualTo(exact);
    assertThat(found.multiply(BigDecimal.valueOf(2))).isGreaterThanOrEqualTo(exact);
  }

  @ParameterizedTest(name = "{0} coordinates")
  @ValueSource(ints = {1, 7, 262_143, 262_144, 262_145, 700_000})
  void privatize_knownStreams_isTheRoundedSumPlusTheStreamsIntegers(int size) {
    double sigma = 1.3;
    double sensitivity = 0.9;
    double batch = 11;
    Random random = new Random(5);
    float[] sum = new float[size];
    for (int j = 0; j < size; j++) {
      sum[j] = (float) (3 * random.nextGaussian());
    }
    List<float[]> actual = steps(PredictableNoise.seeded(31), sum, sigma, sensitivity, batch, 2);
    BigDecimal spacing =
        new BigDecimal("0.5").pow(-DiscreteGaussianMechanism.gridExponent(sensitivity, size));
    for (int step = 0; step < 2; step++) {
      long[] noise =
          PredictableNoise.integers(
              PredictableNoise.seeded(31),
              step,
              size,
              new BigDecimal(sigma * sensitivity).divide(spacing).doubleValue());
      for (int j = 0; j < size; j += 1 + size / 5000) {
        BigDecimal rounded =
            new BigDecimal(sum[j]).divide(spacing).setScale(0, RoundingMode.HALF_EVEN);
        double wanted =
            rounded.add(BigDecimal.valueOf(noise[j])).multiply(spacing).doubleValue() / batch;
        assertThat(actual.get(step)[j])
            .as("step %d, coordinate %d", step, j)
            .isCloseTo(
                (float) wanted, org.assertj.core.data.Offset.offset(2 * Math.ulp((float) wanted)));
      }
    }
  }

  @Test
  void privatize_manySteps_haveTheExactProbabilitiesAndTwoPerCentMoreWouldBeSeen() {
    double sigma = 0x1p-8;
    int size = 1 << 16;
    double sensitivity = 1.5;
    double batch = 4;
    double spacing = Math.scalb(1.0, DiscreteGaussianMechanism.gridExponent(sensitivity, size));
    List<float[]> gradients =
        steps(NoiseSource.secure(), new float[size], sigma, sensitivity, batch, 16);
    long[] integers = new long[16 * size];
    int at = 0;
    for (float[] gradient : gradients) {
      for (float value : gradient) {
        double integer = value * batch / spacing;
        assertThat(integer).isEqualTo(Math.rint(integer)); // float32 holds them all
        integers[at++] = (long) integer;
      }
    }
    double deviation = sigma * sensitivity / spacing;
    double critical =
        new ChiSquaredDistribution(null, BINS - 1).inverseCumulativeProbability(1 - 1e-9);
    assertThat(chiSquare(integers, deviation)).isLessThan(critical);
    assertThat(chiSquare(integers, deviation * 1.02)).isGreaterThan(2 * critical);
    assertThat(chiSquare(integers, deviation / 1.02)).isGreaterThan(2 * critical);
    double product = 0;
    for (int j = 0; j < integers.length - size; j++) {
      product += (double) integers[j] * integers[j + size];
    }
    // Steps do not go together: normal with the root of the count, tails of 6.2 deviations.
    double score = product / (deviation * deviation) / Math.sqrt(integers.length - size);
    assertThat(score).isBetween(-6.2, 6.2);
  }

  /** Pearson's statistic of cells of about the same probability. */
  private static double chiSquare(long[] integers, double deviation) {
    int reach = (int) (9 * deviation);
    double[] below = new double[2 * reach + 2];
    for (int y = -reach; y <= reach; y++) {
      below[y + reach + 1] =
          below[y + reach] + Math.exp(-(double) y * y / (2 * deviation * deviation));
    }
    double total = below[2 * reach + 1];
    int[] cellOf = new int[2 * reach + 1];
    double[] mass = new double[BINS];
    for (int i = 0; i <= 2 * reach; i++) {
      cellOf[i] = Math.min(BINS - 1, (int) (BINS * below[i] / total));
      mass[cellOf[i]] += (below[i + 1] - below[i]) / total;
    }
    long[] counts = new long[BINS];
    for (long y : integers) {
      counts[cellOf[(int) Math.max(0, Math.min(2L * reach, y + reach))]]++;
    }
    double statistic = 0;
    for (int b = 0; b < BINS; b++) {
      double expected = mass[b] * integers.length;
      statistic += (counts[b] - expected) * (counts[b] - expected) / expected;
    }
    return statistic;
  }

  @Test
  void onGrid_worstSums_moveApartByNoMoreThanTheRoomLeftForIt() {
    Random random = new Random(7);
    for (int size : new int[] {1, 5, 1000, 100_000}) {
      double sensitivity = 0.37;
      int exponent = DiscreteGaussianMechanism.gridExponent(sensitivity, size);
      double spacing = Math.scalb(1.0, exponent);
      float[] one = new float[size];
      float[] other = new float[size];
      // Just on both sides of a tie in every coordinate, and one coordinate far apart.
      for (int j = 0; j < size; j++) {
        one[j] = (float) ((random.nextInt(1000) + 0.5) * spacing);
        other[j] = Math.nextUp(Math.nextUp(one[j]));
        one[j] = Math.nextDown(one[j]);
      }
      other[0] = (float) (one[0] + sensitivity * DiscreteGaussianMechanism.CLIP_SHARE);
      double real = 0;
      BigDecimal rounded = BigDecimal.ZERO;
      for (int j = 0; j < size; j++) {
        double difference = (double) other[j] - one[j];
        real += difference * difference;
        long steps =
            DiscreteGaussianMechanism.onGrid(other[j], 1 / spacing)
                - DiscreteGaussianMechanism.onGrid(one[j], 1 / spacing);
        rounded = rounded.add(BigDecimal.valueOf(steps).pow(2));
      }
      double distance = Math.sqrt(rounded.doubleValue()) * spacing;
      // Rounding does move them apart.
      assertThat(distance).isGreaterThan(Math.sqrt(real) - spacing);
      assertThat(Math.sqrt(real)).isLessThan(sensitivity * (1 - 0x1p-12));
      assertThat(distance).isLessThanOrEqualTo(sensitivity);
      assertThat(distance).isLessThanOrEqualTo(Math.sqrt(real) + 0x1p-12 * sensitivity);
    }
  }

  @Test
  void onGrid_beyondTheRange_isClampedAndNaNRefused() {
    assertThat(DiscreteGaussianMechanism.onGrid(Float.POSITIVE_INFINITY, 1)).isEqualTo(1L << 60);
    assertThat(DiscreteGaussianMechanism.onGrid(-1e30f, 0x1p80)).isEqualTo(-(1L << 60));
    assertThat(DiscreteGaussianMechanism.onGrid(-2.5f, 1)).isEqualTo(-2);
    assertThatThrownBy(() -> steps(NoiseSource.secure(), new float[] {Float.NaN}, 1, 1, 1, 1))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("clipped sum must be finite, got NaN");
  }

  @Test
  void privatize_afterOneThatFailed_releasesNothing() {
    // What is under way then was drawn for the noise multiplier of the step that failed.
    int size = 3 * NoiseChunks.CHUNK;
    Parameter parameter = parameter(size);
    float[] bad = new float[size];
    bad[0] = Float.NaN;
    try (ClippedGradientSum clipped =
            new ClippedGradientSum(FIXTURE.kernels(), FIXTURE.manager(), List.of(parameter));
        DiscreteGaussianMechanism mechanism =
            new DiscreteGaussianMechanism(
                FIXTURE.kernels(), FIXTURE.manager(), NoiseSource.secure(), 1)) {
      clipped.view(parameter).addi(FIXTURE.manager().create(bad));
      assertThatThrownBy(() -> mechanism.privatize(clipped, 1, 1)).hasMessageContaining("NaN");
      clipped.clear();
      assertThatThrownBy(() -> mechanism.privatize(clipped, 1000, 1))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("the last draw of noise must have succeeded");
      assertThatThrownBy(() -> mechanism.unclippedShare(clipped, 1))
          .hasMessageContaining("the last draw of noise must have succeeded");
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, 0, -1, Double.POSITIVE_INFINITY})
  void privatize_numberNotPositive_isRefused(double bad) {
    float[] sum = {1};
    assertThatThrownBy(() -> steps(NoiseSource.secure(), sum, bad, 1, 1, 1))
        .hasMessageContaining("noiseMultiplier must be finite and > 0, got " + bad);
    assertThatThrownBy(() -> steps(NoiseSource.secure(), sum, 1, bad, 1, 1))
        .hasMessageContaining("sensitivity must be finite and > 0, got " + bad);
    assertThatThrownBy(() -> steps(NoiseSource.secure(), sum, 1, 1, bad, 1))
        .hasMessageContaining("expectedBatchSize must be finite and > 0, got " + bad);
  }

  @Test
  void unclippedShare_manyQueries_areHalvesWithTheExactProbabilities() {
    double countNoise = 2.2;
    int queries = 20_000;
    long[] halves = new long[queries];
    Parameter parameter = parameter(3);
    try (ClippedGradientSum sum =
            new ClippedGradientSum(FIXTURE.kernels(), FIXTURE.manager(), List.of(parameter));
        DiscreteGaussianMechanism mechanism =
            new DiscreteGaussianMechanism(
                FIXTURE.kernels(), FIXTURE.manager(), PredictableNoise.seeded(8), 16)) {
      sum.count(FIXTURE.manager().create(new boolean[] {true, true, false, true}));
      for (int i = 0; i < queries; i++) {
        double centred = (mechanism.unclippedShare(sum, countNoise) - 0.5) * 16;
        assertThat(2 * centred).isEqualTo(Math.rint(2 * centred));
        halves[i] = Math.round(2 * centred) - 2;
      }
      assertThat(mechanism.noisePosition()).isEqualTo(new NoisePosition(0, queries));
    }
    double variance =
        Arrays.stream(halves).mapToDouble(y -> (double) y * y).average().orElseThrow() / 4;
    double score = (variance / (countNoise * countNoise) - 1) * Math.sqrt(queries / 2.0);
    assertThat(score).isBetween(-6.2, 6.2);
  }

  @Test
  void skipNoise_position_goesOnWithTheNextStreams() {
    float[] sum = new float[300_000];
    List<float[]> whole = steps(PredictableNoise.seeded(9), sum, 1, 1, 1, 3);
    Parameter parameter = parameter(sum.length);
    try (ClippedGradientSum clipped =
            new ClippedGradientSum(FIXTURE.kernels(), FIXTURE.manager(), List.of(parameter));
        DiscreteGaussianMechanism mechanism =
            new DiscreteGaussianMechanism(
                FIXTURE.kernels(), FIXTURE.manager(), PredictableNoise.seeded(9), 1)) {
      mechanism.skipNoise(new NoisePosition(4, 0));
      float[] third = mechanism.privatize(clipped, 1, 1).gradients().get(0).toFloatArray();
      assertThat(third).isEqualTo(whole.get(2)).isNotEqualTo(whole.get(1));
      // Two chunks a step, each stream once.
      assertThat(mechanism.noisePosition()).isEqualTo(new NoisePosition(6, 0));
      assertThatThrownBy(() -> mechanism.skipNoise(new NoisePosition(0, 0)))
          .hasMessageContaining("before any is drawn");
    }
  }
}
