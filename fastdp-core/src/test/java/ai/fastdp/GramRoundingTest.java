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
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Norms by Gram matrices are float32 products where terms cancel no further than typical ones do,
 * raised by what rounding may have taken. Samples made to lose as much as possible in them stay
 * within the clip norm, and typical ones have little less than the norm of float64.
 */
@Tag("slow")
final class GramRoundingTest {
  @RegisterExtension static final KernelsFixture FIXTURE = new KernelsFixture();

  /** A sample of rows of two kinds in turn, whose output gradients have opposite signs. */
  private static final class Cancelling {
    private final int positions;
    private final int width;
    private final float[] inputs;
    private final float[] gradients;

    private Cancelling(int positions, int width, float[] inputs, float[] gradients) {
      this.positions = positions;
      this.width = width;
      this.inputs = inputs;
      this.gradients = gradients;
    }

    /**
     * Ones at some columns, and elsewhere squares that float32 rounds beside them: in products of
     * equal rows down, in those of different rows up.
     *
     * @param every how many columns there are to a one
     * @param even the small squares of even positions, in units of float32's last place at 1
     * @param both whether output gradients are made like inputs, or have one column
     */
    static Cancelling of(
        int positions, int width, int every, double even, double odd, boolean both) {
      float[] inputs = new float[positions * width];
      float[] gradients = new float[positions * width];
      for (int t = 0; t < positions; t++) {
        float small = (float) Math.sqrt((t % 2 == 0 ? even : odd) * 0x1p-23);
        int sign = t % 2 == 0 ? 1 : -1;
        for (int j = 0; j < width; j++) {
          inputs[t * width + j] = j % every == 0 ? 1 : small;
          if (both || j == 0) {
            gradients[t * width + j] = sign * inputs[t * width + j];
          }
        }
      }
      return new Cancelling(positions, width, inputs, gradients);
    }

    /** The largest contribution while less and less is added to the first output gradient. */
    double largest(NDManager manager) {
      double low = 0;
      double high = positions;
      double largest = 0;
      for (int n = 0; n < 10; n++) {
        double more = n == 0 ? high : (low + high) / 2;
        try (NDManager scope = manager.newSubManager()) {
          float[] raised = gradients.clone();
          for (int j = 0; j < width; j++) {
            raised[j] *= (float) (1 + more);
          }
          Shape shape = new Shape(1, positions, width);
          NDArray input = scope.create(inputs, shape);
          NDArray gradient = scope.create(raised, shape);
          if (doubted(scope, input, gradient, width)) {
            low = more;
          } else {
            high = more;
            largest = Math.max(largest, contribution(scope, input, gradient, width));
          }
        }
      }
      return largest;
    }
  }

  private static double contribution(NDManager scope, NDArray input, NDArray gradient, int width) {
    Block linear = Recipe.plainLinear(width);
    linear.initialize(scope, DataType.FLOAT32, input.getShape());
    Use use = new Use(linear, input, gradient);
    return new NeighbourSums(FIXTURE.kernels(), ClippingFunction.automaticDirection(), 1, 1 << 22)
        .contribution(scope, List.of(use), 0);
  }

  private static boolean doubted(NDManager scope, NDArray input, NDArray gradient, int width) {
    return squaredNorms(scope, List.of(input), List.of(gradient), width).get(1).getBoolean(0);
  }

  private static List<NDArray> squaredNorms(
      NDManager scope, List<NDArray> inputs, List<NDArray> gradients, long width) {
    long[] one = {1};
    long[] sides = {width};
    long[] none = new long[1];
    List<NDArray> no = List.of();
    return FIXTURE
        .kernels()
        .run(
            scope,
            "matrix_sq_norms",
            inputs,
            gradients,
            no,
            no,
            one,
            none,
            sides,
            sides,
            0L,
            1L << 22);
  }

  @ParameterizedTest
  @CsvSource({"16, 64", "64, 256", "250, 600"})
  void contribution_dotsThatLoseTheirSmallTerms_staysWithinTheClipNorm(int positions, int width) {
    double largest = 0;
    double[][] squares = {{0.49, 0}, {0.49, 5.49}, {1.47, 4.49}, {2.49, 12.49}};
    for (boolean both : new boolean[] {false, true}) {
      for (int every : new int[] {width, 128}) {
        for (double[] pair : squares) {
          Cancelling sample = Cancelling.of(positions, width, every, pair[0], pair[1], both);
          largest = Math.max(largest, sample.largest(FIXTURE.manager()));
        }
      }
    }
    Figures.report("contribution by Gram matrices of " + positions + ", " + width, largest);
    // A sample that is always doubted would show nothing.
    assertThat(largest).isGreaterThan(0.99);
    assertThat(largest).isLessThanOrEqualTo(1 + 1e-5);
  }

  @ParameterizedTest
  @CsvSource({"16, 64", "64, 256", "100, 768", "250, 600"})
  void squaredNorms_typicalSamples_areRaisedByRoundingAlone(int positions, int width) {
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
      List<NDArray> results = squaredNorms(scope, inputs, gradients, width);
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
        // The sizes of all products come to less than three times the square here.
        double raised = 3 * (2 * width + 3) * 0x1p-24;
        assertThat(squares[i] / exact - 1).isBetween(0.0, raised);
      }
    }
  }
}
