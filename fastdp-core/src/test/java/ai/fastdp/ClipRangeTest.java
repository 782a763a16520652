/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.fastdp.NeighbourSums.Use;
import ai.fastdp.clipping.ClippingFunction;
import java.util.List;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * No clip norm, stability constant or sample makes a sum that is not finite, or a contribution of
 * more than R: inputs and output gradients over the whole range of float32, and clip factors that
 * would carry either out of it.
 */
@Tag("slow")
final class ClipRangeTest {
  private static final double[] SIZES = {
    0, 1e-45, 1e-38, 1e-30, 1.2e-22, 1e-19, 1e-10, 1, 1e8, 1e10, 1e18, 1e19, 1e30, 6e33, 3e38
  };
  private static final double[] CLIP_NORMS = {1e-6, 1, 1e3, 1e6};
  private static final List<ClippingFunction> FUNCTIONS =
      Stream.concat(
              DoubleStream.of(1e-8, 1e-6, 1e-4, 0.01, 1).mapToObj(ClippingFunction::automatic),
              Stream.of(
                  ClippingFunction.abadi(),
                  ClippingFunction.automaticDirection(),
                  ClippingFunction.global(),
                  ClippingFunction.global(3),
                  ClippingFunction.adaptiveQuantile(0.5, 1)))
          .toList();

  @RegisterExtension static final KernelsFixture FIXTURE = new KernelsFixture();

  private static Block initialized(Block layer, Shape input) {
    layer.initialize(FIXTURE.manager(), DataType.FLOAT32, input);
    return layer;
  }

  /** Samples (N, T, width) of every size of one side with every size of the other. */
  private static NDArray sizes(NDManager scope, boolean inner, int positions, int width) {
    int count = SIZES.length;
    float[] values = new float[count * count * positions * width];
    for (int i = 0; i < count * count; i++) {
      float size = (float) SIZES[inner ? i % count : i / count];
      for (int j = 0; j < positions * width; j++) {
        values[i * positions * width + j] = j % 3 == 1 ? -size : size;
      }
    }
    return scope.create(values, new Shape((long) count * count, positions, width));
  }

  private static void require(NDManager scope, List<Use> uses, int samples, int stride) {
    for (ClippingFunction function : FUNCTIONS) {
      for (double clipNorm : CLIP_NORMS) {
        NeighbourSums sums = new NeighbourSums(FIXTURE.kernels(), function, clipNorm, 1 << 16);
        String what = function + ", R " + clipNorm;
        try (NDManager inner = scope.newSubManager()) {
          double all =
              BatchOfOneOracle.norm(sums.sum(inner, uses).values().toArray(double[][]::new));
          assertThat(all).as(what).isLessThanOrEqualTo(clipNorm * samples * (1 + 1e-5));
        }
        for (int i = 0; i < samples; i += stride) {
          assertThat(sums.contribution(scope, uses, i))
              .as("%s, sample %d", what, i)
              .isLessThanOrEqualTo(1 + 1e-5);
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 40})
  void contribution_anySizesOfInputsAndGradients_isFiniteAndWithinClipNorm(int positions) {
    try (NDManager scope = FIXTURE.manager().newSubManager()) {
      Block linear = initialized(Recipe.linear(8), new Shape(1, positions, 7));
      NDArray a = sizes(scope, true, positions, 7);
      NDArray g = sizes(scope, false, positions, 8);
      require(scope, List.of(new Use(linear, a, g)), SIZES.length * SIZES.length, 14);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 5})
  void contribution_anySizesOfRows_isFiniteAndWithinClipNorm(int positions) {
    try (NDManager scope = FIXTURE.manager().newSubManager()) {
      Block table = initialized(Recipe.idEmbedding(7, 6), new Shape(1, positions));
      int samples = SIZES.length * SIZES.length;
      NDArray ids = scope.full(new Shape(samples, positions), 2, DataType.INT64);
      NDArray g = sizes(scope, true, positions, 6);
      require(scope, List.of(new Use(table, ids, g)), samples, 13);
    }
  }

  @Test
  void contribution_anySizesOfImages_isFiniteAndWithinClipNorm() {
    try (NDManager scope = FIXTURE.manager().newSubManager()) {
      Block conv = initialized(Recipe.conv2d(4, 3, 1, 0, 1, 1, true), new Shape(1, 3, 6, 6));
      int samples = SIZES.length * SIZES.length;
      NDArray a = sizes(scope, true, 36, 3).reshape(samples, 3, 6, 6);
      NDArray g = sizes(scope, false, 16, 4).reshape(samples, 4, 4, 4);
      require(scope, List.of(new Use(conv, a, g)), samples, 14);
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {-1, 7, 1L << 40})
  void sum_idOutsideTheTable_isRefusedAndNoRowOfAnotherSample(long id) {
    try (NDManager scope = FIXTURE.manager().newSubManager()) {
      Block table = initialized(Recipe.idEmbedding(7, 2), new Shape(1, 1));
      NDArray ids = scope.create(new long[] {0, id, 0}, new Shape(3, 1));
      NDArray g = scope.ones(new Shape(3, 1, 2));
      NeighbourSums sums =
          new NeighbourSums(FIXTURE.kernels(), ClippingFunction.abadi(), 1, 1 << 16);
      List<Use> uses = List.of(new Use(table, ids, g));
      assertThatThrownBy(() -> sums.sum(scope, uses)).hasMessageContaining("ids must be");
    }
  }
}
