/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.fastdp.internal.kernel.BookKeepingKernels;
import ai.fastdp.kernel.TorchScriptModule;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Tag;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;

/** Every way to norms and sums of convolutions, of any shapes, against float64 loops. */
@SuppressWarnings("NullAway.Init") // Set before the container runs.
@Tag("slow")
final class ConvolutionShapesTest {
  private static final double TOLERANCE = 1e-5;

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

  /** A weight (p, c, kernel) and its uses. */
  private static final class Layer {
    final long[] weight;
    final List<NDArray> inputs = new ArrayList<>();
    final List<NDArray> outputGradients = new ArrayList<>();
    final List<long[]> geometries = new ArrayList<>();
    final double[][] gradients;
    // For each sample the squares of the terms' norms, the norms, and the terms of all samples.
    final double[] squares;
    final double[] sizes;
    double positions;

    Layer(NDManager scope, Random random, int samples, int dimensions, int uses) {
      int groups = 1 + random.nextInt(3);
      weight = new long[2 + dimensions];
      weight[0] = groups * (1L + random.nextInt(6));
      weight[1] = 1L + random.nextInt(6);
      for (int i = 0; i < dimensions; i++) {
        weight[2 + i] = 1L + random.nextInt(3);
      }
      gradients = new double[samples][Math.toIntExact(new Shape(weight).size())];
      squares = new double[samples];
      sizes = new double[samples];
      for (int u = 0; u < uses; u++) {
        use(scope, random, samples, dimensions, groups);
      }
    }

    private void use(NDManager scope, Random random, int samples, int n, int groups) {
      long[] geometry = new long[3 * n + 1];
      boolean stride = random.nextBoolean();
      long[] x = new long[2 + n];
      long[] g = new long[2 + n];
      x[0] = samples;
      x[1] = groups * weight[1];
      g[0] = samples;
      g[1] = weight[0];
      for (int i = 0; i < n; i++) {
        geometry[i] = stride ? 1L + random.nextInt(3) : 1;
        geometry[n + i] = random.nextInt(3);
        geometry[2 * n + i] = 1L + random.nextInt(2);
        long window = geometry[2 * n + i] * (weight[2 + i] - 1) + 1;
        x[2 + i] = Math.max(1, window - 2 * geometry[n + i]) + random.nextInt(6);
        g[2 + i] = (x[2 + i] + 2 * geometry[n + i] - window) / geometry[i] + 1;
      }
      geometry[3 * n] = groups;
      NDArray input = OneStep.normal(scope, random.nextLong(), 1, x);
      NDArray outputGradient = OneStep.normal(scope, random.nextLong(), 1, g);
      inputs.add(input);
      outputGradients.add(outputGradient);
      geometries.add(geometry);
      addGradients(input.toFloatArray(), x, outputGradient.toFloatArray(), g, geometry);
    }

    /** The definition: each output position times the inputs that it sees. */
    private void addGradients(float[] input, long[] x, float[] output, long[] g, long[] geometry) {
      int n = weight.length - 2;
      long perGroup = weight[0] / geometry[3 * n];
      Shape ofWeight = new Shape(weight);
      Shape ofOutput = new Shape(g);
      int spatial = Math.toIntExact(ofOutput.slice(2).size());
      int groups = Math.toIntExact(geometry[3 * n]);
      double[][] patches = new double[gradients.length][groups * spatial];
      double[][] outputs = new double[gradients.length][groups * spatial];
      for (int o = 0; o < output.length; o++) {
        long[] at = index(o, ofOutput);
        int sample = Math.toIntExact(at[0]);
        int position = Math.toIntExact(at[1] / perGroup * spatial + o % spatial);
        outputs[sample][position] += (double) output[o] * output[o];
        for (int w = 0; w < ofWeight.size() / weight[0]; w++) {
          long[] in = index(w, new Shape(LongStream.of(weight).skip(1).toArray()));
          long offset = at[0] * x[1] + at[1] / perGroup * weight[1] + in[0];
          boolean inside = true;
          for (int i = 0; i < n; i++) {
            long pixel =
                at[2 + i] * geometry[i] + in[1 + i] * geometry[2 * n + i] - geometry[n + i];
            inside &= pixel >= 0 && pixel < x[2 + i];
            offset = offset * x[2 + i] + pixel;
          }
          if (inside) {
            int element = Math.toIntExact(at[1] * (ofWeight.size() / weight[0]) + w);
            double value = input[Math.toIntExact(offset)];
            gradients[sample][element] += output[o] * value;
            patches[sample][position] += at[1] % perGroup == 0 ? value * value : 0;
          }
        }
      }
      for (int i = 0; i < gradients.length; i++) {
        for (int t = 0; t < patches[i].length; t++) {
          squares[i] += patches[i][t] * outputs[i][t];
          sizes[i] += Math.sqrt(patches[i][t] * outputs[i][t]);
        }
      }
      positions += (double) gradients.length * spatial;
    }

    private static long[] index(long flat, Shape shape) {
      long[] index = new long[shape.dimension()];
      for (int i = index.length - 1; i >= 0; i--) {
        index[i] = flat % shape.get(i);
        flat /= shape.get(i);
      }
      return index;
    }

    long[] geometry() {
      return geometries.stream().flatMapToLong(LongStream::of).toArray();
    }

    boolean hasStrideOne() {
      int n = weight.length - 2;
      return geometries.stream().allMatch(own -> LongStream.of(own).limit(n).allMatch(s -> s == 1));
    }
  }

  @Property(tries = 200)
  void anyWay_anyShapes_equalsTheDefinition(
      @ForAll @IntRange(min = 1, max = 4) int samples,
      @ForAll @IntRange(min = 1, max = 3) int dimensions,
      @ForAll @IntRange(min = 1, max = 2) int uses,
      @ForAll @IntRange(min = 1, max = 3000) long cells,
      @ForAll long seed) {
    Random random = new Random(seed);
    try (NDManager scope = manager.newSubManager()) {
      Layer layer = new Layer(scope, random, samples, dimensions, uses);
      for (boolean isNative : new boolean[] {true, false}) {
        requireFormed(scope, layer, isNative, samples);
        requireSum(scope, layer, isNative, random, cells);
        for (long room : new long[] {0, 1 << 20}) {
          NDList result =
              kernels.run(
                  scope,
                  "conv_sq_norms",
                  layer.inputs,
                  layer.outputGradients,
                  layer.geometry(),
                  layer.weight,
                  isNative,
                  room,
                  cells);
          requireNorms(layer, result.get(0).toDoubleArray(), false);
        }
      }
      requireNorms(layer, ghost(scope, layer, false, 1 + random.nextInt(4), cells), false);
      if (uses == 1 && layer.hasStrideOne()) {
        requireNorms(layer, ghost(scope, layer, true, 1 + random.nextInt(4), cells), false);
      }
      double[] wide = new double[samples];
      for (int i = 0; i < samples; i++) {
        wide[i] =
            kernels
                .run(
                    scope,
                    "wide_conv_sq_norm",
                    layer.inputs,
                    layer.outputGradients,
                    layer.geometry(),
                    layer.weight,
                    i)
                .head()
                .getDouble();
      }
      requireNorms(layer, wide, true);
    }
  }

  private static double[] ghost(
      NDManager scope, Layer layer, boolean window, long tile, long cells) {
    return kernels
        .run(
            scope,
            "conv_ghost_sq_norm",
            layer.inputs,
            layer.outputGradients,
            layer.geometry(),
            layer.weight,
            window,
            tile,
            cells)
        .head()
        .toDoubleArray();
  }

  private static void requireNorms(Layer layer, double[] squares, boolean isWide) {
    for (int i = 0; i < layer.gradients.length; i++) {
      double expected = BatchOfOneOracle.norm(layer.gradients[i]);
      double actual = Math.sqrt(squares[i]);
      // Padding may leave a weight without any input.
      assertThat(actual).isGreaterThanOrEqualTo(expected * (1 - TOLERANCE));
      // Where terms cancel, the norm may include the rounding of the float32 sum.
      boolean cancels = isWide || 15 * expected * expected < layer.squares[i];
      double rounding = cancels ? 2.5e-7 * Math.sqrt(layer.positions) * layer.sizes[i] : 0;
      // Norms by Gram matrices are raised by what rounding may have taken from them.
      double raised =
          0x1p-25 * (layer.gradients[i].length + 4) * (4 + layer.positions / 8.0) * expected;
      assertThat(actual).isLessThanOrEqualTo(expected * (1 + TOLERANCE) + rounding + raised);
    }
  }

  private static void requireFormed(NDManager scope, Layer layer, boolean isNative, int samples) {
    NDArray formed =
        kernels
            .run(
                scope,
                "conv_gradients",
                layer.inputs,
                layer.outputGradients,
                layer.geometry(),
                layer.weight,
                0,
                samples,
                isNative)
            .head();
    for (int i = 0; i < samples; i++) {
      double[] actual = BatchOfOneOracle.widened(formed.get(i).toFloatArray());
      assertThat(BatchOfOneOracle.relativeError(actual, layer.gradients[i])).isLessThan(TOLERANCE);
    }
  }

  private static void requireSum(
      NDManager scope, Layer layer, boolean isNative, Random random, long cells) {
    int samples = layer.gradients.length;
    float[] factors = new float[samples];
    boolean[] keep = new boolean[samples];
    double[] sum = new double[layer.gradients[0].length];
    for (int i = 0; i < samples; i++) {
      factors[i] = random.nextFloat();
      keep[i] = random.nextInt(4) > 0;
      for (int j = 0; keep[i] && j < sum.length; j++) {
        sum[j] += factors[i] * layer.gradients[i][j];
      }
    }
    NDArray target = scope.zeros(new Shape(layer.weight), DataType.FLOAT32);
    kernels.run(
        scope,
        "add_convolutions",
        layer.inputs,
        layer.outputGradients,
        layer.geometry(),
        layer.weight,
        scope.create(factors),
        scope.create(keep),
        true,
        isNative,
        target,
        cells);
    double[] actual = BatchOfOneOracle.widened(target.toFloatArray());
    assertThat(BatchOfOneOracle.relativeError(actual, sum)).isLessThan(TOLERANCE);
  }
}
