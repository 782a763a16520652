/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.fastdp.internal.ghost.GhostRules;
import ai.fastdp.internal.ghost.PerSampleGradients;
import ai.fastdp.internal.hook.LayerRecord;
import ai.fastdp.internal.kernel.BookKeepingKernels;
import ai.fastdp.kernel.TorchScriptModule;
import ai.fastdp.nn.TiedLinear;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;
import org.jspecify.annotations.Nullable;

/** Norms and sums of matrix parameters, of any shapes and uses, against float64 loops. */
@SuppressWarnings("NullAway.Init") // Set before the container runs.
final class RandomShapesTest {
  private static NDManager manager;
  private static TorchScriptModule kernels;

  @BeforeContainer
  static void compile() {
    manager = NDManager.newBaseManager("PyTorch");
    kernels = BookKeepingKernels.compile(manager);
  }

  @AfterContainer
  static void close() {
    manager.close();
  }

  @Property(tries = 150)
  void norms_anyShapesAndUses_equalFormedGradients(
      @ForAll @IntRange(min = 1, max = 5) int samples,
      @ForAll @IntRange(min = 1, max = 20) int width,
      @ForAll @IntRange(min = 1, max = 24) int rows,
      @ForAll @IntRange(min = 0, max = 2) int linearUses,
      @ForAll @IntRange(min = 0, max = 2) int rowUses,
      @ForAll @IntRange(min = 1, max = 300) int tile,
      @ForAll long seed) {
    Random random = new Random(seed);
    try (NDManager scope = manager.newSubManager()) {
      Block table = Recipe.idEmbedding(rows, width);
      table.initialize(scope, DataType.FLOAT32, new Shape(1, 1));
      Block head = new TiedLinear(table);
      double[][] expected = new double[samples][rows * width];
      double[][] terms = new double[samples][3];
      PerSampleGradients gradients = new PerSampleGradients(kernels, scope, samples, tile);
      int uses = Math.max(1, linearUses + rowUses);
      for (int u = 0; u < uses; u++) {
        boolean linear = u < linearUses || rowUses == 0;
        int positions = random.nextInt(4) == 0 ? 1 : 1 + random.nextInt(30);
        NDArray g =
            OneStep.normal(scope, random.nextLong(), 1, samples, positions, linear ? rows : width);
        NDArray input =
            linear
                ? OneStep.normal(scope, random.nextLong(), 1, samples, positions, width)
                : OneStep.ids(scope, random.nextLong(), rows, samples, positions);
        if (linear) {
          addOuter(expected, input.toFloatArray(), g.toFloatArray(), positions, width, rows);
        } else {
          addRows(expected, input.toLongArray(), g.toFloatArray(), positions, width);
        }
        for (int i = 0; i < samples; i++) {
          addTerms(terms[i], linear ? rowsOf(input, i) : null, rowsOf(g, i));
        }
        Block layer = linear ? head : table;
        GhostRules.standard().contribute(new LayerRecord("x", layer, input, g), g, gradients);
      }
      double[] squared = gradients.squaredNorms().toDoubleArray();
      for (int i = 0; i < samples; i++) {
        double norm = BatchOfOneOracle.norm(expected[i]);
        double actual = Math.sqrt(squared[i]);
        assertThat(actual).isGreaterThanOrEqualTo(norm * (1 - 1e-5));
        // Where terms cancel to a quarter, the norm may include the rounding of the float32 sum.
        double rounding =
            15 * norm * norm < terms[i][0]
                ? 2.5e-7 * Math.sqrt(samples * terms[i][2]) * terms[i][1]
                : 0;
        // Norms by Gram matrices are raised by what rounding may have taken from them.
        double raised = 0x1p-25 * (rows + width + 3) * (4 + terms[i][2] / 8) * norm;
        assertThat(actual).isLessThanOrEqualTo(norm * (1 + 1e-5) + rounding + raised);
      }
      requireSums(scope, gradients, expected, random, rows, width);
    }
  }

  private static void requireSums(
      NDManager scope,
      PerSampleGradients gradients,
      double[][] expected,
      Random random,
      int rows,
      int width) {
    int samples = expected.length;
    float[] factors = new float[samples];
    boolean[] keep = new boolean[samples];
    double[] sum = new double[rows * width];
    for (int i = 0; i < samples; i++) {
      factors[i] = random.nextFloat();
      keep[i] = random.nextInt(4) > 0;
      for (int j = 0; keep[i] && j < sum.length; j++) {
        sum[j] += factors[i] * expected[i][j];
      }
    }
    List<NDArray> targets = new ArrayList<>();
    targets.add(scope.zeros(new Shape(rows, width), DataType.FLOAT32));
    gradients.addWeightedSums(
        scope.create(factors, new Shape(1, samples)), scope.create(keep), targets);
    double[] actual = BatchOfOneOracle.widened(targets.get(0).toFloatArray());
    assertThat(BatchOfOneOracle.relativeError(actual, sum)).isLessThan(1e-5);
  }

  private static double[][] rowsOf(NDArray array, int sample) {
    double[] flat = BatchOfOneOracle.widened(array.get(sample).toFloatArray());
    int width = Math.toIntExact(array.getShape().get(2));
    double[][] rows = new double[flat.length / width][];
    for (int t = 0; t < rows.length; t++) {
      rows[t] = Arrays.copyOfRange(flat, t * width, (t + 1) * width);
    }
    return rows;
  }

  /** Adds up the squares of the terms' norms, the norms, and the number of terms. */
  private static void addTerms(double[] to, double @Nullable [][] a, double[][] g) {
    for (int t = 0; t < g.length; t++) {
      double size = BatchOfOneOracle.norm(g[t]) * (a == null ? 1 : BatchOfOneOracle.norm(a[t]));
      to[0] += size * size;
      to[1] += size;
      to[2]++;
    }
  }

  private static void addOuter(
      double[][] to, float[] a, float[] g, int positions, int width, int rows) {
    for (int i = 0; i < to.length; i++) {
      for (int t = i * positions; t < (i + 1) * positions; t++) {
        for (int r = 0; r < rows; r++) {
          for (int c = 0; c < width; c++) {
            to[i][r * width + c] += (double) g[t * rows + r] * a[t * width + c];
          }
        }
      }
    }
  }

  private static void addRows(double[][] to, long[] ids, float[] g, int positions, int width) {
    for (int i = 0; i < to.length; i++) {
      for (int t = i * positions; t < (i + 1) * positions; t++) {
        for (int c = 0; c < width; c++) {
          to[i][(int) ids[t] * width + c] += g[t * width + c];
        }
      }
    }
  }
}
