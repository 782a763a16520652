/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.fastdp.KernelsFixture;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The noise itself. Statistical tests have fixed seeds; with free ones each statistic would reject
 * right noise with a probability of at most 1e-9.
 */
final class GaussianMechanismTest {
  // Normal tails beyond 6.2 deviations: 6e-10.
  private static final double DEVIATIONS = 6.2;
  private static final int MANY = (1 << 21) + 1;

  @RegisterExtension static final KernelsFixture FIXTURE = new KernelsFixture();

  @Test
  void privatize_noiseDeviation_isThatOfTheNoise() {
    Parameter parameter = parameter(3);
    try (ClippedGradientSum clipped =
            new ClippedGradientSum(FIXTURE.kernels(), FIXTURE.manager(), List.of(parameter));
        GaussianMechanism mechanism =
            new GaussianMechanism(
                FIXTURE.kernels(), FIXTURE.manager(), NoiseSource.secure(), 16, 0)) {
      assertThat(mechanism.privatize(clipped, 1.5, 0.25).noiseDeviation())
          .isEqualTo(1.5 * 0.25 / 16);
    }
  }

  private static float[] noise(NoiseSource source, int size, double sigma, double s, double b) {
    return privatized(source, new float[size], sigma, s, b);
  }

  private static float[] privatized(
      NoiseSource source, float[] sum, double sigma, double sensitivity, double batch) {
    Parameter parameter = parameter(sum.length);
    try (ClippedGradientSum clipped =
            new ClippedGradientSum(FIXTURE.kernels(), FIXTURE.manager(), List.of(parameter));
        GaussianMechanism mechanism =
            new GaussianMechanism(FIXTURE.kernels(), FIXTURE.manager(), source, batch, 0)) {
      clipped.view(parameter).addi(FIXTURE.manager().create(sum));
      return mechanism.privatize(clipped, sigma, sensitivity).gradients().get(0).toFloatArray();
    }
  }

  private static Parameter parameter(long size) {
    return Parameter.builder()
        .setName("p")
        .setType(Parameter.Type.OTHER)
        .optShape(new Shape(size))
        .build();
  }

  @Test
  void privatize_manyCoordinates_areStandardNormalTimesSigmaSensitivityOverBatch() {
    double sigma = 1.3;
    double sensitivity = 0.7;
    double batch = 11;
    float[] values = noise(PredictableNoise.seeded(21), MANY, sigma, sensitivity, batch);
    double deviation = sigma * sensitivity / batch;
    double[] standard = new double[values.length];
    for (int j = 0; j < values.length; j++) {
      standard[j] = values[j] / deviation;
    }
    double n = standard.length;
    double mean = Arrays.stream(standard).average().orElseThrow();
    double variance = Arrays.stream(standard).map(x -> x * x).average().orElseThrow();
    double third = Arrays.stream(standard).map(x -> x * x * x).average().orElseThrow();
    double fourth = Arrays.stream(standard).map(x -> x * x * x * x).average().orElseThrow();
    // Variances of the first four powers of a standard normal number: 1, 2, 15, 96.
    assertThat(mean * Math.sqrt(n)).isBetween(-DEVIATIONS, DEVIATIONS);
    assertThat((variance - 1) * Math.sqrt(n / 2)).isBetween(-DEVIATIONS, DEVIATIONS);
    assertThat(third * Math.sqrt(n / 15)).isBetween(-DEVIATIONS, DEVIATIONS);
    assertThat((fourth - 3) * Math.sqrt(n / 96)).isBetween(-DEVIATIONS, DEVIATIONS);
    // The same statistic tells a noise multiplier that is 2 % off.
    double shifted = variance / (1.02 * 1.02);
    assertThat(Math.abs((shifted - 1) * Math.sqrt(n / 2))).isGreaterThan(4 * DEVIATIONS);
    assertThat(kolmogorovSmirnov(standard)).isLessThan(3.3); // 2 exp(-2 * 3.3^2) = 7e-10
    // Two million numbers: the largest is beyond 4 and below 7 but with probability 1e-9.
    double largest = Arrays.stream(standard).map(Math::abs).max().orElseThrow();
    assertThat(largest).isBetween(4.0, 7.0);
  }

  @Test
  void privatize_secureSource_isNormalToo() {
    double[] standard = widened(noise(NoiseSource.secure(), 200_000, 1, 1, 1));
    assertThat(kolmogorovSmirnov(standard)).isLessThan(3.3);
  }

  private static double kolmogorovSmirnov(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    double n = sorted.length;
    double largest = 0;
    for (int j = 0; j < sorted.length; j++) {
      double expected = normalBelow(sorted[j]);
      largest =
          Math.max(largest, Math.max(Math.abs((j + 1) / n - expected), Math.abs(j / n - expected)));
    }
    return largest * Math.sqrt(n);
  }

  /** The normal distribution function to 7.5e-8 (Abramowitz and Stegun 26.2.17). */
  private static double normalBelow(double x) {
    double t = 1 / (1 + 0.2316419 * Math.abs(x));
    double series =
        t
            * (0.319381530
                + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
    double tail = Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI) * series;
    return x >= 0 ? 1 - tail : tail;
  }

  @Test
  void privatize_neighboursChunksAndSteps_areIndependent() {
    int size = 1 << 20;
    Parameter parameter = parameter(2L * size);
    try (ClippedGradientSum sum =
            new ClippedGradientSum(FIXTURE.kernels(), FIXTURE.manager(), List.of(parameter));
        GaussianMechanism mechanism =
            new GaussianMechanism(
                FIXTURE.kernels(), FIXTURE.manager(), PredictableNoise.seeded(22), 1, 0)) {
      double[] first = widened(mechanism.privatize(sum, 1, 1).gradients().get(0).toFloatArray());
      sum.clear();
      double[] second = widened(mechanism.privatize(sum, 1, 1).gradients().get(0).toFloatArray());
      requireUncorrelated(first, 0, first, 1, size - 1, "neighbours");
      requireUncorrelated(
          first, 0, first, NoiseChunks.CHUNK, 2 * size - NoiseChunks.CHUNK, "chunks");
      requireUncorrelated(first, 0, second, 0, 2 * size, "steps");
    }
  }

  private static void requireUncorrelated(
      double[] x, int from, double[] y, int shift, int count, String what) {
    double product = 0;
    double squares = 0;
    for (int j = 0; j < count; j++) {
      double a = x[from + j];
      double b = y[from + j + shift];
      product += a * b;
      squares += (a * a - 1) * (b * b - 1);
    }
    assertThat(product / Math.sqrt(count)).as(what).isBetween(-DEVIATIONS, DEVIATIONS);
    // A product of two centred squares has variance 4.
    assertThat(squares / (2 * Math.sqrt(count))).as(what).isBetween(-DEVIATIONS, DEVIATIONS);
  }

  @ParameterizedTest(name = "{0} coordinates")
  @ValueSource(
      ints = {
        1,
        2,
        3,
        7,
        32_767,
        32_769,
        262_143,
        262_144,
        262_145,
        524_289,
        (1 << 20) - 1,
        1 << 20,
        (1 << 20) + 1,
        (1 << 21) + 3
      })
  void privatize_anySize_everyCoordinateGetsNoiseAndScaleOnce(int size) {
    byte[] word = {1, 2, 3, 4, 5, 6, 7, 32};
    NoiseSource constant =
        PredictableNoise.source(
            "constant (test)",
            index ->
                bytes -> {
                  for (int j = 0; j < bytes.length; j++) {
                    bytes[j] = word[j % word.length];
                  }
                });
    double number = new NormalNumbers(constant.stream(0)).next();
    assertThat(number).isGreaterThan(0.1);
    float[] sum = new float[size];
    for (int j = 0; j < size; j++) {
      sum[j] = j % 1000;
    }
    float[] actual = privatized(constant, sum, 2, 3, 4);
    double expected = 2 * 3 * number;
    for (int j = 0; j < size; j++) {
      double wanted = (sum[j] + expected) / 4;
      if (Math.abs(actual[j] - wanted) > 1e-4 * Math.max(1, wanted)) {
        assertThat((double) actual[j]).as("coordinate %d", j).isEqualTo(wanted);
      }
    }
  }

  @Test
  void privatize_severalParameters_nothingIsLeftOut() {
    List<Parameter> parameters = List.of(parameter(5), parameter(1), parameter(300_000));
    try (ClippedGradientSum sum =
            new ClippedGradientSum(FIXTURE.kernels(), FIXTURE.manager(), parameters);
        GaussianMechanism mechanism =
            new GaussianMechanism(
                FIXTURE.kernels(), FIXTURE.manager(), PredictableNoise.seeded(23), 1, 0)) {
      PrivatizedGradient gradient = mechanism.privatize(sum, 1, 1);
      assertThat(gradient.parameters()).containsExactlyElementsOf(parameters);
      Set<Float> different = new HashSet<>();
      int count = 0;
      int zeros = 0;
      for (int k = 0; k < parameters.size(); k++) {
        assertThat(gradient.gradients().get(k).getShape()).isEqualTo(parameters.get(k).getShape());
        for (float value : gradient.gradients().get(k).toFloatArray()) {
          different.add(value);
          zeros += value == 0 ? 1 : 0;
          count++;
        }
      }
      assertThat(zeros).isZero();
      // Coordinates that share noise would share values; float32 alone makes few collisions.
      assertThat(different.size()).isGreaterThan(count * 97 / 100);
    }
  }

  @Test
  void privatize_noNoise_isTheSumOverTheBatch() {
    assertThat(privatized(PredictableNoise.none(), new float[] {1, -2, 3}, 5, 1, 4))
        .containsExactly(0.25f, -0.5f, 0.75f);
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, 0, -1, Double.POSITIVE_INFINITY})
  void privatize_numberNotPositive_isRefused(double bad) {
    float[] sum = {1};
    assertThatThrownBy(() -> privatized(PredictableNoise.none(), sum, bad, 1, 1))
        .hasMessageContaining("noiseMultiplier must be finite and > 0, got " + bad);
    assertThatThrownBy(() -> privatized(PredictableNoise.none(), sum, 1, bad, 1))
        .hasMessageContaining("sensitivity must be finite and > 0, got " + bad);
    assertThatThrownBy(() -> privatized(PredictableNoise.none(), sum, 1, 1, bad))
        .hasMessageContaining("expectedBatchSize must be finite and > 0, got " + bad);
  }

  @ParameterizedTest
  @ValueSource(doubles = {1e-17, 1e-6, 1e6, 1e17})
  void privatize_extremeDeviation_isStillNoise(double deviation) {
    double[] values = widened(noise(PredictableNoise.seeded(24), 20_000, deviation, 1, 1));
    double variance =
        Arrays.stream(values).map(x -> x / deviation * (x / deviation)).average().orElseThrow();
    assertThat((variance - 1) * Math.sqrt(10_000)).isBetween(-DEVIATIONS, DEVIATIONS);
  }

  @ParameterizedTest
  @ValueSource(doubles = {1e-25, 1e25})
  void privatize_deviationBeyondFloat32_isRefused(double deviation) {
    // Its square would be zero or infinite in float32: no noise, or nothing else.
    assertThatThrownBy(() -> privatized(PredictableNoise.none(), new float[] {1}, deviation, 1, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("must be in [1e-18, 1e18]");
  }

  // ---------------------------------------------------------------- the source of bits

  @Test
  void secure_twoSources_differ() {
    assertThat(bytes(NoiseSource.secure().stream(0), 64))
        .isNotEqualTo(bytes(NoiseSource.secure().stream(0), 64));
  }

  @ParameterizedTest(name = "fills of {0} bytes")
  @ValueSource(ints = {16, 100, 4096, 16_384})
  void secure_fillsAndStreams_neverRepeat(int size) {
    // 16-byte blocks of 320,000 bytes: two equal ones have a probability of 1e-30.
    NoiseSource source = NoiseSource.secure();
    Set<ByteBuffer> blocks = new HashSet<>();
    long ones = 0;
    long bits = 0;
    for (long index : new long[] {0, 1, 2, Long.MAX_VALUE}) {
      NoiseSource.Bits stream = source.stream(index);
      byte[] all = new byte[80_000 / size * size];
      for (int at = 0; at < all.length; at += size) {
        byte[] part = new byte[size];
        stream.fill(part);
        System.arraycopy(part, 0, all, at, size);
      }
      for (int at = 0; at + 16 <= all.length; at += 16) {
        assertThat(blocks.add(ByteBuffer.wrap(all, at, 16))).isTrue();
      }
      for (byte value : all) {
        ones += Integer.bitCount(value & 0xff);
      }
      bits += 8L * all.length;
    }
    assertThat((ones - bits / 2.0) / Math.sqrt(bits / 4.0)).isBetween(-DEVIATIONS, DEVIATIONS);
  }

  @Test
  void secure_sameStreamAgain_isRefused() {
    NoiseSource source = NoiseSource.secure();
    source.stream(5);
    source.stream(3);
    assertThatThrownBy(() -> source.stream(5))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("opened once, got stream 5 again");
    assertThat(source.description()).contains("AES-256");
    assertThatThrownBy(() -> source.stream(-1)).hasMessage("index must be >= 0, got -1");
  }

  @Test
  void repeatable_sameSeed_isTheSameInAnyOrder() {
    // What a chunk holds does not depend on the thread that draws it, nor on when.
    NoiseSource source = NoiseSource.repeatable(7);
    NoiseSource again = NoiseSource.repeatable(7);
    again.stream(6);
    assertThat(bytes(source.stream(5), 64)).isEqualTo(bytes(again.stream(5), 64));
    assertThat(bytes(NoiseSource.repeatable(8).stream(5), 64))
        .isNotEqualTo(bytes(NoiseSource.repeatable(7).stream(5), 64));
    assertThat(bytes(NoiseSource.secure().stream(5), 64))
        .isNotEqualTo(bytes(NoiseSource.secure().stream(5), 64));
  }

  @Test
  void privatize_anyThreadsAndAnyAmountAhead_sameNoise() {
    int size = 5 * NoiseChunks.CHUNK + 77;
    float[] expected = threeSteps(size, 0);
    for (long ahead : new long[] {1, NoiseChunks.CHUNK, 3L * size, 100L * size}) {
      assertThat(threeSteps(size, ahead)).isEqualTo(expected);
    }
  }

  private static float[] threeSteps(int size, long ahead) {
    Parameter parameter = parameter(size);
    float[] last = new float[0];
    try (ClippedGradientSum sum =
            new ClippedGradientSum(FIXTURE.kernels(), FIXTURE.manager(), List.of(parameter));
        GaussianMechanism mechanism =
            new GaussianMechanism(
                FIXTURE.kernels(), FIXTURE.manager(), PredictableNoise.seeded(25), 1, ahead)) {
      for (int step = 0; step < 3; step++) {
        mechanism.prepare(sum);
        float[] now = mechanism.privatize(sum, 1, 1).gradients().get(0).toFloatArray();
        assertThat(now).isNotEqualTo(last);
        last = now;
        sum.clear();
      }
    }
    return last;
  }

  @Test
  void privatize_sourceFails_nothingIsReleasedThenOrLater() {
    NoiseSource failing =
        PredictableNoise.source(
            "failing (test)",
            index -> {
              if (index == 4) {
                throw new IllegalStateException("no bits");
              }
              return bytes -> {};
            });
    Parameter parameter = parameter(4L * NoiseChunks.CHUNK);
    try (ClippedGradientSum sum =
            new ClippedGradientSum(FIXTURE.kernels(), FIXTURE.manager(), List.of(parameter));
        GaussianMechanism mechanism =
            new GaussianMechanism(FIXTURE.kernels(), FIXTURE.manager(), failing, 1, 0)) {
      assertThatThrownBy(() -> mechanism.privatize(sum, 1, 1))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("noise could not be drawn");
      assertThatThrownBy(() -> mechanism.privatize(sum, 1, 1))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("the last draw of noise must have succeeded");
    }
  }

  @Test
  void privatize_positionInsideAStep_isRefused() {
    Parameter parameter = parameter(2L * NoiseChunks.CHUNK);
    try (ClippedGradientSum sum =
            new ClippedGradientSum(FIXTURE.kernels(), FIXTURE.manager(), List.of(parameter));
        GaussianMechanism mechanism =
            new GaussianMechanism(
                FIXTURE.kernels(), FIXTURE.manager(), NoiseSource.secure(), 1, 0)) {
      mechanism.skipNoise(new NoisePosition(7, 0));
      assertThatThrownBy(() -> mechanism.privatize(sum, 1, 1))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("noise position must be at the beginning of a step of 2 chunks");
    }
  }

  @Test
  void privatize_threadInterrupted_stepIsFinished() {
    Thread.currentThread().interrupt();
    float[] values = noise(PredictableNoise.seeded(26), 3 * NoiseChunks.CHUNK, 1, 1, 1);
    assertThat(Thread.interrupted()).isTrue();
    for (float value : values) {
      if (value == 0) {
        assertThat(value).isNotZero();
      }
    }
  }

  private static byte[] bytes(NoiseSource.Bits stream, int count) {
    byte[] bytes = new byte[count];
    stream.fill(bytes);
    return bytes;
  }

  private static double[] widened(float[] values) {
    double[] wide = new double[values.length];
    for (int j = 0; j < wide.length; j++) {
      wide[j] = values[j];
    }
    return wide;
  }
}
