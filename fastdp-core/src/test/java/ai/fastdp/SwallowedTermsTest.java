/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.fastdp.NeighbourSums.Use;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.nn.TiedLinear;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A large term, many that are each too small to be seen beside it in float32, and the large one
 * with the other sign: what float32 loses of the small ones is no part of the norm, and must not be
 * part of what is added.
 */
final class SwallowedTermsTest {
  private static final double BOUND = 1 + 1e-5;
  private static final float LARGE = 0x1p24f;

  @RegisterExtension static final KernelsFixture FIXTURE = new KernelsFixture();

  /**
   * T terms: one of size 1, small ones below half a unit in its last place, and minus the first.
   */
  private static float[] terms(int count, double remainder) {
    float[] terms = new float[count];
    float small = 0.499f * Math.ulp(1f);
    Arrays.fill(terms, small);
    terms[0] = 1;
    terms[count - 2] = -1;
    terms[count - 1] = (float) (-(1 - remainder) * small * (count - 3.0));
    return terms;
  }

  private static NDArray constant(NDManager scope, int samples, int positions, int width) {
    return scope.ones(new Shape(samples, positions, width), DataType.FLOAT32);
  }

  /** Output gradients (1, T, p), each of whose columns has the terms. */
  private static NDArray columns(NDManager scope, float[] terms, int width) {
    float[] values = new float[terms.length * width];
    for (int t = 0; t < terms.length; t++) {
      Arrays.fill(values, t * width, (t + 1) * width, terms[t]);
    }
    return scope.create(values, new Shape(1, terms.length, width));
  }

  private static Block initialized(Block layer, Shape input) {
    layer.initialize(FIXTURE.manager(), DataType.FLOAT32, input);
    return layer;
  }

  private static NeighbourSums sums() {
    return new NeighbourSums(FIXTURE.kernels(), ClippingFunction.automaticDirection(), 1, 1 << 22);
  }

  private static void requireBounded(
      NDManager scope, Block layer, NDArray input, NDArray gradient) {
    List<Use> uses = List.of(new Use(layer, input, gradient));
    for (ClippingFunction function :
        List.of(ClippingFunction.automatic(1e-6), ClippingFunction.automaticDirection())) {
      NeighbourSums sums = new NeighbourSums(FIXTURE.kernels(), function, 1, 1 << 22);
      double norm = sums.contribution(scope, uses, 0);
      assertThat(norm).as("%s", function).isLessThanOrEqualTo(BOUND);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "300, 4, 5",
    "1000, 4, 5",
    "10000, 4, 5",
    "100000, 4, 5",
    "1000, 1, 1",
    "10000, 1, 1",
    "1000, 1, 64",
    "100, 256, 256",
    "250, 512, 600",
    "3000, 128, 128"
  })
  void contribution_linearTermsSwallowed_staysWithinClipNorm(int positions, int p, int d) {
    try (NDManager scope = FIXTURE.manager().newSubManager()) {
      Block layer = initialized(Recipe.linear(p), new Shape(1, positions, d));
      for (double remainder : new double[] {0, 1e-3, 0.1, 1}) {
        NDArray gradient = columns(scope, terms(positions, remainder), p);
        requireBounded(scope, layer, constant(scope, 1, positions, d), gradient);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {300, 1000, 10_000, 100_000})
  void contribution_rowsSwallowed_staysWithinClipNorm(int positions) {
    try (NDManager scope = FIXTURE.manager().newSubManager()) {
      Block table = initialized(Recipe.idEmbedding(7, 5), new Shape(1, positions));
      for (double remainder : new double[] {0, 1e-3, 0.1, 1}) {
        NDArray gradient = columns(scope, terms(positions, remainder), 5);
        NDArray ids = scope.full(new Shape(1, positions), 3, DataType.INT64);
        requireBounded(scope, table, ids, gradient);
      }
    }
  }

  /** Sample 0 puts a large term into use 1 and minus it into use 2; the rest is small ones. */
  private static NDArray[] around(NDManager scope, int samples, int positions, int width) {
    float[] first = new float[samples * positions * width];
    Arrays.fill(first, 1);
    Arrays.fill(first, 0, positions * width, 0);
    float[] second = new float[first.length];
    first[0] = LARGE;
    second[0] = -LARGE;
    // Something is left, so that the sample is clipped like any other.
    second[width + 1] = 0.5f;
    Shape shape = new Shape(samples, positions, width);
    return new NDArray[] {scope.create(first, shape), scope.create(second, shape)};
  }

  private static void requireInfluence(NDManager scope, int last, List<Use> uses) {
    for (int sample : new int[] {0, 1, last}) {
      assertThat(sums().influence(scope, uses, sample)).isLessThanOrEqualTo(BOUND);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {64, 512})
  void influence_rowsBetweenLargeOnesOfAnotherUse_staysWithinClipNorm(int positions) {
    try (NDManager scope = FIXTURE.manager().newSubManager()) {
      int samples = 60;
      Block table = initialized(Recipe.idEmbedding(7, 5), new Shape(1, positions));
      NDArray ids = scope.full(new Shape(samples, positions), 3, DataType.INT64);
      NDArray[] gradients = around(scope, samples, positions, 5);
      requireInfluence(
          scope,
          samples - 1,
          List.of(new Use(table, ids, gradients[0]), new Use(table, ids, gradients[1])));
    }
  }

  @ParameterizedTest
  @CsvSource({"64, 4, 5", "512, 4, 5", "64, 256, 256"})
  void influence_productsBetweenLargeOnesOfAnotherUse_staysWithinClipNorm(
      int positions, int p, int d) {
    try (NDManager scope = FIXTURE.manager().newSubManager()) {
      int samples = 60;
      Block linear = initialized(Recipe.plainLinear(p), new Shape(1, positions, d));
      NDArray input = constant(scope, samples, positions, d);
      NDArray[] gradients = around(scope, samples, positions, p);
      requireInfluence(
          scope,
          samples - 1,
          List.of(new Use(linear, input, gradients[0]), new Use(linear, input, gradients[1])));
    }
  }

  @Test
  void influence_headBetweenLookUps_staysWithinClipNorm() {
    try (NDManager scope = FIXTURE.manager().newSubManager()) {
      int samples = 60;
      int positions = 8;
      Block table = initialized(Recipe.idEmbedding(40, 32), new Shape(1, positions));
      TiedLinear head = new TiedLinear(table);
      NDArray ids = scope.full(new Shape(samples, positions), 3, DataType.INT64);
      NDArray[] gradients = around(scope, samples, positions, 32);
      float[] outputs = new float[samples * positions * 40];
      Arrays.fill(outputs, 40 * positions, outputs.length, 1);
      outputs[3] = -LARGE;
      float[] inputs = new float[samples * positions * 32];
      Arrays.fill(inputs, 32 * positions, inputs.length, 1);
      inputs[0] = 1;
      requireInfluence(
          scope,
          samples - 1,
          List.of(
              new Use(table, ids, gradients[0]),
              new Use(
                  head,
                  scope.create(inputs, new Shape(samples, positions, 32)),
                  scope.create(outputs, new Shape(samples, positions, 40)))));
    }
  }

  @Test
  void influence_smallTermsBesideAnotherSamplesGradient_isThatOfOneRounding() {
    try (NDManager scope = FIXTURE.manager().newSubManager()) {
      for (int[] shape : new int[][] {{64, 64, 256}, {64, 64, 5}, {64, 1, 256}, {1024, 1, 5}}) {
        int samples = shape[0];
        int positions = shape[1];
        int width = shape[2];
        Block linear = initialized(Recipe.plainLinear(width), new Shape(1, positions, width));
        float[] inputs = new float[samples * positions * width];
        float[] outputs = new float[inputs.length];
        for (int row = 0; row < samples * positions; row++) {
          inputs[row * width] = 1;
          outputs[row * width] = row == 0 ? 1 : -0.49f * Math.ulp(0.5f);
        }
        // Gradients of norm R, but for the element in which the samples meet.
        for (int i = 1; i < samples; i++) {
          outputs[i * positions * width + 1 + i % (width - 1)] = 1;
        }
        NDArray a = scope.create(inputs, new Shape(samples, positions, width));
        NDArray g = scope.create(outputs, new Shape(samples, positions, width));
        double influence = sums().influence(scope, List.of(new Use(linear, a, g)), 0);
        Figures.report("influence, " + Arrays.toString(shape), influence);
        double terms = samples * (positions * 2 * width > width * width ? 1.0 : positions);
        assertThat(influence).isLessThanOrEqualTo(1 + terms * 0x1p-24);
      }
    }
  }
}
