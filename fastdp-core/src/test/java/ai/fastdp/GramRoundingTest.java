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
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Norms by Gram matrices are float32 products where terms cancel no further than typical ones do.
 * Samples made to lose as much as possible in them stay within the bound that is stated, and
 * typical ones have the norm of float64.
 */
final class GramRoundingTest {
  @RegisterExtension static final KernelsFixture FIXTURE = new KernelsFixture();

  private static double influence(NDManager scope, int positions, int width, float[] a, float[] g) {
    Block linear = Recipe.plainLinear(width);
    linear.initialize(FIXTURE.manager(), DataType.FLOAT32, new Shape(1, positions, width));
    Shape shape = new Shape(1, positions, width);
    Use use = new Use(linear, scope.create(a, shape), scope.create(g, shape));
    return new NeighbourSums(FIXTURE.kernels(), ClippingFunction.automaticDirection(), 1, 1 << 22)
        .contribution(scope, List.of(use), 0);
  }

  @ParameterizedTest
  @CsvSource({"16, 64", "64, 256", "250, 600", "700, 1536"})
  void contribution_dotsThatLoseTheirSmallTerms_staysWithinTheStatedBound(
      int positions, int width) {
    double largest = 0;
    for (double share : new double[] {1.02, 1.2, 2, 4}) {
      for (float square : new float[] {0x1.8p-26f, 0x1.ffp-26f, 0x1p-25f, 0x1.8p-24f}) {
        float[] a = new float[positions * width];
        float[] g = new float[positions * width];
        float small = (float) Math.sqrt(square);
        double delta = square * (width - 1.0);
        for (int t = 0; t < positions; t++) {
          a[t * width] = 1;
          for (int j = 1; t % 2 == 0 && j < width; j++) {
            a[t * width + j] = small;
          }
          g[t * width] = t % 2 == 0 ? 1 : -1;
        }
        // What is left when the signs cancel, so that float32 is just trusted.
        double wanted = share * positions / 4.0;
        double own = delta * positions * positions / 4.0;
        g[0] += (float) Math.sqrt(Math.max(0, wanted - own));
        try (NDManager scope = FIXTURE.manager().newSubManager()) {
          largest = Math.max(largest, influence(scope, positions, width, a, g));
        }
      }
    }
    Figures.report("contribution by Gram matrices of " + positions + ", " + width, largest);
    assertThat(largest)
        .isLessThanOrEqualTo(1 + (4.0 * width + 2 * Math.sqrt(positions)) * positions * 0x1p-24);
  }

  @ParameterizedTest
  @CsvSource({"16, 64", "64, 256", "100, 768", "250, 600"})
  void squaredNorms_typicalSamples_areThoseOfFloat64(int positions, int width) {
    int samples = 6;
    Random random = new Random(positions);
    float[] a = new float[samples * positions * width];
    float[] g = new float[a.length];
    for (int row = 0; row < samples * positions; row++) {
      // Positions differ in size and share a part, as those of trained models do.
      double size = Math.exp(1.5 * random.nextGaussian());
      for (int j = 0; j < width; j++) {
        a[row * width + j] = (float) (random.nextGaussian() + (j % 7) * 0.3);
        g[row * width + j] = (float) (size * (random.nextGaussian() + 0.02));
      }
    }
    try (NDManager scope = FIXTURE.manager().newSubManager()) {
      Shape shape = new Shape(samples, positions, width);
      List<NDArray> inputs = List.of(scope.create(a, shape));
      List<NDArray> gradients = List.of(scope.create(g, shape));
      long[] sides = {width};
      long[] one = {1};
      List<NDArray> results =
          FIXTURE
              .kernels()
              .run(
                  scope,
                  "matrix_sq_norms",
                  inputs,
                  gradients,
                  List.of(),
                  List.of(),
                  one,
                  new long[1],
                  sides,
                  sides,
                  0L,
                  1L << 22);
      double[] squares = results.get(0).toDoubleArray();
      assertThat(results.get(1).any().getBoolean()).isFalse();
      for (int i = 0; i < samples; i++) {
        double exact =
            FIXTURE
                .kernels()
                .run(
                    scope,
                    "wide_sq_norm",
                    inputs,
                    gradients,
                    List.of(),
                    List.of(),
                    i,
                    width,
                    width,
                    results.get(0),
                    1L << 22)
                .head()
                .getDouble();
        assertThat(Math.abs(squares[i] / exact - 1)).isLessThan(1e-6);
      }
    }
  }
}
