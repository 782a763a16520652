/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.fastdp.KernelsFixture;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.commons.math3.distribution.NormalDistribution;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The device's generator, on the device at hand. Seeds are fixed; with free ones each statistic
 * would reject right noise with a probability of at most 1e-9.
 */
final class DeviceGaussianMechanismTest {
  // Normal tails beyond 6.2 deviations: 6e-10.
  private static final double DEVIATIONS = 6.2;
  private static final int MANY = 1 << 20;

  @RegisterExtension static final KernelsFixture FIXTURE = new KernelsFixture();

  private static Parameter parameter(long size) {
    return Parameter.builder()
        .setName("p")
        .setType(Parameter.Type.OTHER)
        .optShape(new Shape(size))
        .build();
  }

  private static DeviceGaussianMechanism mechanism(NoiseSource seeds, double batch) {
    return new DeviceGaussianMechanism(
        FIXTURE.kernels(), FIXTURE.manager().getDevice(), seeds, batch);
  }

  /** The gradients of step after step, the first ones skipped. */
  private static List<float[]> steps(NoiseSource seeds, int size, int skipped, int count) {
    Parameter parameter = parameter(size);
    List<float[]> steps = new ArrayList<>();
    try (ClippedGradientSum sum =
            new ClippedGradientSum(FIXTURE.kernels(), FIXTURE.manager(), List.of(parameter));
        DeviceGaussianMechanism mechanism = mechanism(seeds, 1)) {
      mechanism.skipNoise(new NoisePosition(skipped, 0));
      for (int step = 0; step < count; step++) {
        mechanism.prepare(sum);
        steps.add(mechanism.privatize(sum, 1, 1).gradients().get(0).toFloatArray());
        sum.clear();
      }
      assertThat(mechanism.noisePosition()).isEqualTo(new NoisePosition(skipped + count, 0));
    }
    return steps;
  }

  @Test
  void privatize_manyCoordinates_areNormalAndTwoPerCentMoreWouldBeSeen() {
    double sigma = 1.3;
    double sensitivity = 0.7;
    double batch = 11;
    Parameter parameter = parameter(MANY);
    try (ClippedGradientSum sum =
            new ClippedGradientSum(FIXTURE.kernels(), FIXTURE.manager(), List.of(parameter));
        DeviceGaussianMechanism mechanism = mechanism(PredictableNoise.seeded(61), batch)) {
      sum.view(parameter).addi(5.5f);
      PrivatizedGradient gradient = mechanism.privatize(sum, sigma, sensitivity);
      double deviation = sigma * sensitivity / batch;
      assertThat(gradient.noiseDeviation()).isEqualTo(deviation);
      double[] powers = new double[4];
      double[] standard = new double[MANY];
      int at = 0;
      for (float value : gradient.gradients().get(0).toFloatArray()) {
        double z = (value - 5.5 / batch) / deviation;
        standard[at++] = z;
        double power = 1;
        for (int k = 0; k < 4; k++) {
          power *= z;
          powers[k] += power;
        }
      }
      double root = Math.sqrt(MANY);
      // Variances of the first four powers of a standard normal number: 1, 2, 15, 96.
      assertThat(powers[0] / root).isBetween(-DEVIATIONS, DEVIATIONS);
      assertThat((powers[1] / MANY - 1) * root / Math.sqrt(2)).isBetween(-DEVIATIONS, DEVIATIONS);
      assertThat(powers[2] / root / Math.sqrt(15)).isBetween(-DEVIATIONS, DEVIATIONS);
      assertThat((powers[3] / MANY - 3) * root / Math.sqrt(96)).isBetween(-DEVIATIONS, DEVIATIONS);
      double shifted = powers[1] / MANY / (1.02 * 1.02);
      assertThat(Math.abs(shifted - 1) * root / Math.sqrt(2)).isGreaterThan(4 * DEVIATIONS);
      java.util.Arrays.sort(standard);
      NormalDistribution normal = new NormalDistribution(null, 0, 1);
      double largest = 0;
      for (int j = 0; j < MANY; j++) {
        double expected = normal.cumulativeProbability(standard[j]);
        largest = Math.max(largest, Math.abs((j + 0.5) / MANY - expected));
      }
      assertThat(largest * root).isLessThan(3.3); // 2 exp(-2 * 3.3^2) = 7e-10
    }
  }

  @Test
  void privatize_neighboursBlocksAndSteps_areIndependent() {
    // Consecutive seeds are what the generator has to cope with.
    List<float[]> steps = steps(PredictableNoise.seeded(62), MANY, 0, 4);
    for (int step = 0; step < 4; step++) {
      requireUncorrelated(steps.get(step), 0, steps.get(step), 1, MANY - 1);
      requireUncorrelated(steps.get(step), 0, steps.get(step), MANY / 2, MANY / 2);
      for (int other = 0; other < step; other++) {
        requireUncorrelated(steps.get(step), 0, steps.get(other), 0, MANY);
      }
    }
  }

  private static void requireUncorrelated(float[] x, int from, float[] y, int shift, int count) {
    double product = 0;
    double squares = 0;
    for (int j = 0; j < count; j++) {
      double a = x[from + j];
      double b = y[from + j + shift];
      product += a * b;
      squares += (a * a - 1) * (b * b - 1);
    }
    assertThat(product / Math.sqrt(count)).isBetween(-DEVIATIONS, DEVIATIONS);
    assertThat(squares / (2 * Math.sqrt(count))).isBetween(-DEVIATIONS, DEVIATIONS);
  }

  @ParameterizedTest(name = "{0} coordinates")
  @ValueSource(ints = {1, 2, 15, 16, 17, 1000, (1 << 24) + 5})
  void privatize_anySize_everyCoordinateGetsNoiseOnce(int size) {
    // A block more has its own numbers: the last coordinates differ from the first ones.
    float[] values = steps(PredictableNoise.seeded(63), size, 0, 1).get(0);
    double squares = 0;
    Set<Float> last = new HashSet<>();
    for (int j = 0; j < size; j++) {
      squares += (double) values[j] * values[j];
      if (j >= size - 5) {
        last.add(values[j]);
      }
      if (values[j] == 0) {
        assertThat(values[j]).as("coordinate %d", j).isNotZero();
      }
    }
    assertThat(last).hasSize(Math.min(5, size));
    for (int j = 0; j < Math.min(size - 5, 20); j++) {
      assertThat(last).doesNotContain(values[j]);
    }
    assertThat((squares / size - 1) * Math.sqrt(size / 2.0)).isLessThan(60 / Math.sqrt(size) + 7);
  }

  @Test
  void skipNoise_position_neverRepeatsAStep() {
    List<float[]> whole = steps(PredictableNoise.seeded(64), 100, 0, 6);
    List<float[]> resumed = steps(PredictableNoise.seeded(64), 100, 4, 2);
    assertThat(resumed.get(0)).isEqualTo(whole.get(4));
    assertThat(resumed.get(1)).isEqualTo(whole.get(5));
    Set<ByteBuffer> seen = new HashSet<>();
    for (float[] step : whole) {
      ByteBuffer bytes = ByteBuffer.allocate(400);
      bytes.asFloatBuffer().put(step);
      assertThat(seen.add(bytes)).isTrue();
    }
    try (DeviceGaussianMechanism mechanism = mechanism(PredictableNoise.seeded(64), 1)) {
      Parameter parameter = parameter(3);
      try (ClippedGradientSum sum =
          new ClippedGradientSum(FIXTURE.kernels(), FIXTURE.manager(), List.of(parameter))) {
        mechanism.privatize(sum, 1, 1);
        assertThatThrownBy(() -> mechanism.skipNoise(new NoisePosition(0, 0)))
            .hasMessageContaining("before any is drawn");
      }
    }
  }

  @Test
  void secureSeeds_twoRuns_differ() {
    assertThat(steps(NoiseSource.secure(), 100, 0, 1).get(0))
        .isNotEqualTo(steps(NoiseSource.secure(), 100, 0, 1).get(0));
    // All 64 bits of the first stream go into the seed: here, one of the lowest and the highest.
    float[] zero = steps(seed(0), 10, 0, 1).get(0);
    assertThat(steps(seed(1), 10, 0, 1).get(0)).isNotEqualTo(zero);
    assertThat(steps(seed(1), 10, 0, 1).get(0)).isEqualTo(steps(seed(0), 10, 1, 1).get(0));
  }

  @Test
  void privatize_cpu_ignoresHalfOfTheSeed() {
    // Why the engine refuses this generator on a CPU.
    if (!FIXTURE.manager().getDevice().isGpu()) {
      assertThat(steps(seed(1L << 32), 10, 0, 1).get(0)).isEqualTo(steps(seed(0), 10, 0, 1).get(0));
    }
  }

  private static NoiseSource seed(long value) {
    return PredictableNoise.source(
        "one seed (test)", index -> bytes -> ByteBuffer.wrap(bytes).putLong(value));
  }

  @Test
  void privatize_usersSeed_isNeitherReadNorAdvanced() {
    FIXTURE.manager().getEngine().setRandomSeed(7);
    float[] undisturbed = FIXTURE.manager().randomNormal(new Shape(8)).toFloatArray();
    float[] next = FIXTURE.manager().randomNormal(new Shape(8)).toFloatArray();
    FIXTURE.manager().getEngine().setRandomSeed(7);
    float[] before = FIXTURE.manager().randomNormal(new Shape(8)).toFloatArray();
    float[] noise = steps(PredictableNoise.seeded(65), 50, 0, 1).get(0);
    float[] after = FIXTURE.manager().randomNormal(new Shape(8)).toFloatArray();
    assertThat(before).isEqualTo(undisturbed);
    assertThat(after).isEqualTo(next);
    FIXTURE.manager().getEngine().setRandomSeed(8);
    assertThat(steps(PredictableNoise.seeded(65), 50, 0, 1).get(0)).isEqualTo(noise);
  }

  @Test
  void unclippedShare_comesFromTheSecureSource() {
    Parameter parameter = parameter(3);
    NoiseSource source = PredictableNoise.seeded(66);
    try (ClippedGradientSum sum =
            new ClippedGradientSum(FIXTURE.kernels(), FIXTURE.manager(), List.of(parameter));
        DeviceGaussianMechanism mechanism = mechanism(source, 8)) {
      sum.count(FIXTURE.manager().create(new boolean[] {true, true, true, false}));
      for (int i = 0; i < 3; i++) {
        double normal = new NormalNumbers(source.stream(2L * i + 1)).next();
        assertThat(mechanism.unclippedShare(sum, 2)).isEqualTo(0.5 + (1 + 2 * normal) / 8);
      }
      assertThat(mechanism.noisePosition()).isEqualTo(new NoisePosition(0, 3));
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {1e-17, 1e-6, 1e6, 1e17})
  void privatize_extremeDeviation_isStillNoise(double deviation) {
    Parameter parameter = parameter(20_000);
    try (ClippedGradientSum sum =
            new ClippedGradientSum(FIXTURE.kernels(), FIXTURE.manager(), List.of(parameter));
        DeviceGaussianMechanism mechanism = mechanism(PredictableNoise.seeded(67), 1)) {
      double squares = 0;
      for (float value : mechanism.privatize(sum, deviation, 1).gradients().get(0).toFloatArray()) {
        squares += value / deviation * (value / deviation);
      }
      assertThat((squares / 20_000 - 1) * 100).isBetween(-DEVIATIONS, DEVIATIONS);
    }
  }
}
