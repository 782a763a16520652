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
import ai.fastdp.internal.kernel.FloatType;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Samples of several views, scaled losses and numbers of half width: terms that float32 swallows
 * and factors that leave its range are bounded there as elsewhere.
 */
@Tag("slow")
final class BoundsOfOtherFormsTest {
  private static final double BOUND = 1 + 1e-5;
  private static final int POSITIONS = 1000;
  private static final double[] SIZES = {
    0, 1e-45, 1e-38, 1e-30, 1e-10, 1e-7, 1, 6e4, 1e10, 1e19, 1e30, 6e33, 3e38
  };

  @RegisterExtension static final KernelsFixture FIXTURE = new KernelsFixture();

  private enum Form {
    VIEWS(FloatType.FLOAT32, 2, 1),
    SMALL_SCALE(FloatType.FLOAT32, 1, 0x1p-20),
    LARGE_SCALE(FloatType.FLOAT32, 1, 0x1p20),
    FLOAT16(FloatType.FLOAT16, 1, 1),
    BFLOAT16(FloatType.BFLOAT16, 1, 1),
    SCALED_VIEWS_OF_FLOAT16(FloatType.FLOAT16, 2, 0x1p10);

    private final FloatType type;
    private final int views;
    private final double lossScale;

    Form(FloatType type, int views, double lossScale) {
      this.type = type;
      this.views = views;
      this.lossScale = lossScale;
    }

    private NeighbourSums sums(ClippingFunction function, double clipNorm) {
      return new NeighbourSums(FIXTURE.kernels(), function, clipNorm, 1 << 16, views, lossScale);
    }

    /** Numbers (N, T, width), as (N V, T / V, width) of this form's type. */
    private NDArray array(NDManager scope, float[] values, int positions, int width) {
      long rows = (long) values.length * views / ((long) positions * width);
      Shape shape = new Shape(rows, positions / views, width);
      return Halves.cast(scope.create(values, shape), type);
    }
  }

  private static Block initialized(Block layer, Shape input) {
    layer.initialize(FIXTURE.manager(), DataType.FLOAT32, input);
    return layer;
  }

  /** A large term, ones of half a unit in its last place, the large one with the other sign. */
  private static float[] terms(Form form, int width, double left) {
    float large = (float) form.lossScale;
    float small = 0x1p-24f * large;
    float[] terms = new float[POSITIONS * width];
    Arrays.fill(terms, small);
    for (int j = 0; j < width; j++) {
      terms[j] = large;
      terms[(POSITIONS - 2) * width + j] = -large;
      terms[(POSITIONS - 1) * width + j] = (float) ((left - 1) * small * (POSITIONS - 3));
    }
    return terms;
  }

  private static float[] ones(int count) {
    float[] ones = new float[count];
    Arrays.fill(ones, 1);
    return ones;
  }

  @ParameterizedTest
  @EnumSource
  void contribution_termsSwallowed_staysWithinClipNorm(Form form) {
    Block linear = initialized(Recipe.linear(4), new Shape(1, 3, 5));
    Block large = initialized(Recipe.linear(256), new Shape(1, 3, 128));
    Block table = initialized(Recipe.idEmbedding(7, 5), new Shape(1, 3));
    double largest = 0;
    for (double left : new double[] {0, 1e-3, 0.1, 1}) {
      try (NDManager scope = FIXTURE.manager().newSubManager()) {
        NDArray a = form.array(scope, ones(POSITIONS * 5), POSITIONS, 5);
        NDArray g = form.array(scope, terms(form, 4, left), POSITIONS, 4);
        NDArray rows = form.array(scope, terms(form, 5, left), POSITIONS, 5);
        NDArray ids = scope.full(new Shape(form.views, POSITIONS / form.views), 3, DataType.INT64);
        // Few positions, so that norms come from Gram matrices: the first and the last of all.
        NDArray few = form.array(scope, ones(40 * 128), 40, 128);
        float[] ends = Arrays.copyOf(terms(form, 256, left), 40 * 256);
        Arrays.fill(ends, 39 * 256, 40 * 256, (float) -form.lossScale);
        NDArray outputs = form.array(scope, ends, 40, 256);
        for (Use use :
            List.of(
                new Use(linear, a, g), new Use(table, ids, rows), new Use(large, few, outputs))) {
          double share =
              form.sums(ClippingFunction.automaticDirection(), 1)
                  .contribution(scope, List.of(use), 0);
          assertThat(share).as("%s, %s left", use.layer(), left).isLessThanOrEqualTo(BOUND);
          largest = Math.max(largest, share);
        }
      }
    }
    assertThat(largest).isGreaterThan(0.99);
  }

  /** Samples of every size of one side with every size of the other. */
  private static NDArray sizes(
      NDManager scope, Form form, boolean inner, int positions, int width) {
    int count = SIZES.length;
    float[] values = new float[count * count * positions * width];
    for (int n = 0; n < values.length; n++) {
      int sample = n / (positions * width);
      float size = (float) SIZES[inner ? sample % count : sample / count];
      values[n] = n % 3 == 1 ? -size : size;
    }
    return form.array(scope, values, positions, width);
  }

  @ParameterizedTest
  @EnumSource
  void contribution_anySizes_isFiniteAndWithinClipNorm(Form form) {
    Block linear = initialized(Recipe.linear(4), new Shape(1, 3, 5));
    Block large = initialized(Recipe.linear(24), new Shape(1, 2, 32));
    int samples = SIZES.length * SIZES.length;
    for (ClippingFunction function :
        List.of(
            ClippingFunction.automatic(1e-8),
            ClippingFunction.automaticDirection(),
            ClippingFunction.abadi())) {
      for (double clipNorm : new double[] {1e-6, 1, 1e6}) {
        try (NDManager scope = FIXTURE.manager().newSubManager()) {
          Use few =
              new Use(linear, sizes(scope, form, true, 6, 5), sizes(scope, form, false, 6, 4));
          Use grams =
              new Use(large, sizes(scope, form, true, 2, 32), sizes(scope, form, false, 2, 24));
          for (Use use : List.of(few, grams)) {
            NeighbourSums sums = form.sums(function, clipNorm);
            String what = function + ", R " + clipNorm;
            double[][] all = sums.sum(scope, List.of(use)).values().toArray(double[][]::new);
            assertThat(BatchOfOneOracle.norm(all))
                .as(what)
                .isLessThanOrEqualTo(clipNorm * samples * BOUND);
            for (int i = 0; i < samples; i += 6) {
              assertThat(sums.contribution(scope, List.of(use), i))
                  .as("%s, sample %d", what, i)
                  .isLessThanOrEqualTo(BOUND);
            }
          }
        }
      }
    }
  }
}
