/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.internal.ghost.PerSampleGradients;
import ai.fastdp.internal.kernel.BookKeepingKernels;
import ai.fastdp.internal.kernel.FloatType;
import ai.fastdp.kernel.TorchScriptModule;
import ai.fastdp.loss.PerSampleLoss;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Models of bfloat16 and float16: per-sample gradients against float32 back-propagation of the same
 * weights and data, kernels against float64 sums of the same halves, and loss scaling.
 */
@Tag("slow")
class HalfPrecisionTest {
  private static final int SAMPLES = 5;
  // DJL's softmax of bfloat16 ends the process.
  private static final Set<Recipe> SOFTMAX = EnumSet.of(Recipe.MULTI_HEAD_ATTENTION);
  private static final Set<Recipe> RECURRENT =
      EnumSet.of(Recipe.RNN_CELL, Recipe.LSTM_CELL, Recipe.GRU_CELL);

  /** The recipe's loss in float32 of predictions of any type. */
  private static PerSampleLoss loss(Recipe recipe) {
    return (labels, predictions) -> {
      NDList wide = new NDList();
      predictions.forEach(array -> wide.add(array.add(array.getManager().zeros(new Shape(1)))));
      return recipe.loss().evaluate(labels, wide);
    };
  }

  /** What rounding each layer's output to a type may change, of a whole gradient's norm. */
  private static double tolerance(FloatType type) {
    return type == FloatType.FLOAT16 ? 0.01 : 0.08;
  }

  static Stream<Arguments> models() {
    return Arrays.stream(Recipe.values())
        // It multiplies by arrays of float32.
        .filter(recipe -> recipe != Recipe.TRANSFORMER)
        .flatMap(
            recipe ->
                Stream.of(FloatType.BFLOAT16, FloatType.FLOAT16)
                    .filter(
                        type ->
                            type == FloatType.FLOAT16
                                || !(SOFTMAX.contains(recipe) || RECURRENT.contains(recipe)))
                    .map(type -> Arguments.of(recipe, type)));
  }

  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("models")
  void perSampleGradients_ofAHalfModel_areThoseOfFloat32ButForItsRounding(
      Recipe recipe, FloatType type) {
    try (Model whole = Halves.round(recipe.model(), type, FloatType.FLOAT32);
        Model half = Halves.round(recipe.model(), type, type)) {
      NDManager manager = whole.getNDManager();
      NDList data = recipe.data(manager, SAMPLES);
      NDList labels = recipe.labels(manager, SAMPLES);
      BatchOfOneOracle oracle = new BatchOfOneOracle(whole.getBlock(), loss(recipe)::evaluate);
      double[][][] expected =
          oracle.gradients(Halves.rounded(data, type, FloatType.FLOAT32), labels);
      List<Parameter> parameters = trainable(half);
      try (EngineProbe probe = new EngineProbe(half, loss(recipe), 1)) {
        EngineProbe.Result actual = probe.run(Halves.rounded(data, type, type), labels);
        for (int i = 0; i < SAMPLES; i++) {
          double size = BatchOfOneOracle.norm(expected[i]);
          for (int k = 0; k < parameters.size(); k++) {
            double[] gradient = actual.gradient(parameters.get(k), i);
            double[] difference = new double[gradient.length];
            for (int j = 0; j < gradient.length; j++) {
              difference[j] = gradient[j] - expected[i][k][j];
            }
            assertThat(BatchOfOneOracle.norm(difference))
                .as("parameter %d of sample %d", k, i)
                .isLessThan(tolerance(type) * size);
            // The norm is that of the very gradient that is summed, raised where it is by Gram
            // matrices.
            double norm = BatchOfOneOracle.norm(gradient);
            assertThat(Math.sqrt(actual.squaredNorm(parameters.get(k), i)))
                .isBetween(norm * (1 - 1e-5), norm * (1 + 1e-4) + 1e-7 * size);
          }
        }
      }
    }
  }

  static Stream<Recipe> recurrent() {
    return RECURRENT.stream();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("recurrent")
  void recurrentLayer_inBfloat16_isRefused(Recipe recipe) {
    try (Model half = Halves.round(recipe.model(), FloatType.BFLOAT16, FloatType.BFLOAT16)) {
      NDManager manager = half.getNDManager();
      NDList data =
          Halves.rounded(recipe.data(manager, SAMPLES), FloatType.BFLOAT16, FloatType.BFLOAT16);
      NDList labels = recipe.labels(manager, SAMPLES);
      try (EngineProbe probe = new EngineProbe(half, loss(recipe), 1)) {
        assertThatThrownBy(() -> probe.run(data, labels))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("must be float32 or float16");
      }
    }
  }

  private static List<Parameter> trainable(Model model) {
    return new BatchOfOneOracle(model.getBlock(), (labels, outputs) -> outputs.head()).parameters();
  }

  // ---------------------------------------------------------------- kernels

  private static double[][] values(NDArray array, int rows) {
    double[] flat = BatchOfOneOracle.widened(array.toType(DataType.FLOAT32, false).toFloatArray());
    double[][] split = new double[rows][];
    for (int i = 0; i < rows; i++) {
      split[i] = Arrays.copyOfRange(flat, i * flat.length / rows, (i + 1) * flat.length / rows);
    }
    return split;
  }

  private static Parameter parameter(NDManager manager, long... shape) {
    Parameter parameter = Parameter.builder().setName("p").setType(Parameter.Type.WEIGHT).build();
    parameter.setArray(manager.zeros(new Shape(shape)));
    return parameter;
  }

  static Stream<Arguments> sizes() {
    return Stream.of(FloatType.BFLOAT16, FloatType.FLOAT16)
        .flatMap(
            type ->
                Stream.of(
                    // One position; Gram matrices; gradients formed.
                    Arguments.of(type, 1, 7, 9),
                    Arguments.of(type, 6, 60, 50),
                    Arguments.of(type, 300, 6, 5)));
  }

  @ParameterizedTest(name = "{0} T={1} d={2} p={3}")
  @MethodSource("sizes")
  void linearKernels_ofHalves_sumInFloat32(FloatType type, int positions, int d, int p) {
    try (NDManager manager = NDManager.newBaseManager()) {
      TorchScriptModule kernels = BookKeepingKernels.compile(manager);
      NDArray a = Halves.cast(OneStep.normal(manager, 1, 1, 3, positions, d), type);
      NDArray g = Halves.cast(OneStep.normal(manager, 2, 1, 3, positions, p), type);
      Parameter weight = parameter(manager, p, d);
      Parameter bias = parameter(manager, p);
      PerSampleGradients gradients = new PerSampleGradients(kernels, manager, 3, 1 << 20);
      gradients.contributions().addLinear(weight, a, g);
      gradients.contributions().addPositionSum(bias, g);
      double[][] wideA = values(a, 3);
      double[][] wideG = values(g, 3);
      double[][] weights = new double[3][p * d];
      double[][] biases = new double[3][p];
      for (int i = 0; i < 3; i++) {
        for (int t = 0; t < positions; t++) {
          for (int o = 0; o < p; o++) {
            double value = wideG[i][t * p + o];
            biases[i][o] += value;
            for (int j = 0; j < d; j++) {
              weights[i][o * d + j] += value * wideA[i][t * d + j];
            }
          }
        }
      }
      requireFloat32(gradients, List.of(weights, biases));
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"BFLOAT16", "FLOAT16"})
  void rowKernels_ofHalves_sumInFloat32(FloatType type) {
    try (NDManager manager = NDManager.newBaseManager()) {
      TorchScriptModule kernels = BookKeepingKernels.compile(manager);
      int positions = 400;
      NDArray ids = OneStep.ids(manager, 1, 3, 2, positions);
      NDArray g = Halves.cast(OneStep.normal(manager, 2, 1, 2, positions, 4).add(1), type);
      Parameter table = parameter(manager, 3, 4);
      PerSampleGradients gradients = new PerSampleGradients(kernels, manager, 2, 1 << 20);
      gradients.contributions().addRows(table, ids, g);
      double[][] wide = values(g, 2);
      long[] rows = ids.toLongArray();
      double[][] expected = new double[2][12];
      for (int i = 0; i < 2; i++) {
        for (int t = 0; t < positions; t++) {
          for (int j = 0; j < 4; j++) {
            expected[i][(int) rows[i * positions + t] * 4 + j] += wide[i][t * 4 + j];
          }
        }
      }
      requireFloat32(gradients, Collections.singletonList(expected));
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"BFLOAT16", "FLOAT16"})
  void broadcastKernels_ofHalves_sumInFloat32(FloatType type) {
    try (NDManager manager = NDManager.newBaseManager()) {
      TorchScriptModule kernels = BookKeepingKernels.compile(manager);
      NDArray g = Halves.cast(OneStep.normal(manager, 2, 1, 2, 4, 500).add(1), type);
      Parameter bias = parameter(manager, 4);
      PerSampleGradients gradients = new PerSampleGradients(kernels, manager, 2, 1 << 20);
      gradients.contributions().addBroadcast(bias, new Shape(4, 1), g);
      assertThatThrownBy(() -> gradients.contributions().addDense(bias, g.sum(new int[] {2})))
          .hasMessageContaining("must be float32, got " + g.getDataType());
      double[][] wide = values(g, 2);
      double[][] expected = new double[2][4];
      for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 2_000; j++) {
          expected[i][j / 500] += wide[i][j];
        }
      }
      requireFloat32(gradients, Collections.singletonList(expected));
    }
  }

  /** Norms and the sum with weights against float64. */
  private static void requireFloat32(PerSampleGradients gradients, List<double[][]> expected) {
    List<Parameter> parameters = gradients.parameters();
    int samples = expected.get(0).length;
    double[] squares = gradients.squaredNorms().toDoubleArray();
    NDManager manager = gradients.squaredNorms().getManager();
    float[] factors = new float[parameters.size() * samples];
    List<NDArray> targets = new ArrayList<>();
    for (int k = 0; k < parameters.size(); k++) {
      targets.add(manager.zeros(parameters.get(k).getShape(), DataType.FLOAT32));
      for (int i = 0; i < samples; i++) {
        factors[k * samples + i] = 0.3f + 0.1f * i;
        double norm = BatchOfOneOracle.norm(expected.get(k)[i]);
        // Raised where it comes from Gram matrices.
        assertThat(Math.sqrt(squares[k * samples + i]) / norm - 1).isBetween(-3e-6, 3e-5);
      }
    }
    gradients.addWeightedSums(
        manager.create(factors, new Shape(parameters.size(), samples)),
        manager.ones(new Shape(samples), DataType.BOOLEAN),
        targets);
    for (int k = 0; k < parameters.size(); k++) {
      double[] sum = new double[expected.get(k)[0].length];
      for (int i = 0; i < samples; i++) {
        for (int j = 0; j < sum.length; j++) {
          sum[j] += (double) factors[i] * expected.get(k)[i][j];
        }
      }
      assertThat(
              BatchOfOneOracle.relativeError(
                  BatchOfOneOracle.widened(targets.get(k).toFloatArray()), sum))
          .isLessThan(3e-6);
    }
  }

  // ---------------------------------------------------------------- loss scale

  private static IdentityHashMap<Parameter, double[]> clippedSum(
      Model model,
      NDList data,
      NDList labels,
      PerSampleLoss loss,
      double clipNorm,
      double lossScale) {
    return OneStep.firstStep(
        model,
        data,
        labels,
        OneStep.engine(
                OneStep.everySample(SAMPLES, clipNorm)
                    .optClipping(ClippingFunction.abadi())
                    .build(),
                loss)
            .optLossScale(lossScale));
  }

  static Stream<Arguments> scales() {
    return Stream.of(FloatType.FLOAT32, FloatType.BFLOAT16, FloatType.FLOAT16)
        .flatMap(
            type -> Stream.of(1, 16, 1 << 10).map(scale -> Arguments.of(type, (double) scale)));
  }

  @ParameterizedTest(name = "{0} scale {1}")
  @MethodSource("scales")
  void clippedSum_withLossScale_isTheSame(FloatType type, double scale) {
    Recipe recipe = Recipe.LINEAR_RANK_3;
    try (Model whole = Halves.round(recipe.model(), type, FloatType.FLOAT32);
        Model half = Halves.round(recipe.model(), type, type)) {
      NDManager manager = whole.getNDManager();
      NDList data = recipe.data(manager, SAMPLES);
      NDList labels = recipe.labels(manager, SAMPLES);
      BatchOfOneOracle oracle = new BatchOfOneOracle(whole.getBlock(), loss(recipe)::evaluate);
      double[][][] gradients =
          oracle.gradients(Halves.rounded(data, type, FloatType.FLOAT32), labels);
      double[] norms =
          Arrays.stream(gradients).mapToDouble(BatchOfOneOracle::norm).sorted().toArray();
      // Some samples are clipped and some are not.
      double clipNorm = norms[SAMPLES / 2];
      double[][] expected =
          BatchOfOneOracle.clippedSum(gradients, norm -> Math.min(1, clipNorm / norm));
      IdentityHashMap<Parameter, double[]> actual =
          clippedSum(half, Halves.rounded(data, type, type), labels, loss(recipe), clipNorm, scale);
      List<Parameter> parameters = trainable(half);
      double tolerance = type == FloatType.FLOAT32 ? 1e-5 : tolerance(type);
      for (int k = 0; k < expected.length; k++) {
        double[] sum = Objects.requireNonNull(actual.get(parameters.get(k)));
        assertThat(BatchOfOneOracle.relativeError(sum, expected[k])).isLessThan(tolerance);
      }
    }
  }

  @Test
  void clippedSum_float32WithLossScale_isEqualBitForBit() {
    Recipe recipe = Recipe.TRANSFORMER;
    List<List<double[]>> sums = new ArrayList<>();
    for (double scale : new double[] {1, 1 << 6, 1 << 14}) {
      try (Model model = recipe.model()) {
        IdentityHashMap<Parameter, double[]> sum =
            clippedSum(
                model,
                recipe.data(model.getNDManager(), SAMPLES),
                recipe.labels(model.getNDManager(), SAMPLES),
                recipe.loss(),
                0.5,
                scale);
        sums.add(trainable(model).stream().map(sum::get).toList());
      }
    }
    for (List<double[]> scaled : sums) {
      for (int k = 0; k < scaled.size(); k++) {
        assertThat(scaled.get(k)).isEqualTo(sums.get(0).get(k));
      }
    }
  }

  @Test
  void lossScale_ofAFloat16Model_keepsGradientsThatWouldVanish() {
    Recipe recipe = Recipe.LINEAR_RANK_3;
    FloatType type = FloatType.FLOAT16;
    // Gradients of about 1e-8, below float16's smallest number.
    PerSampleLoss small =
        (labels, predictions) -> loss(recipe).evaluate(labels, predictions).mul(1e-9f);
    try (Model whole = Halves.round(recipe.model(), type, FloatType.FLOAT32);
        Model half = Halves.round(recipe.model(), type, type)) {
      NDManager manager = whole.getNDManager();
      NDList data = recipe.data(manager, SAMPLES);
      NDList labels = recipe.labels(manager, SAMPLES);
      double[][] expected =
          BatchOfOneOracle.clippedSum(
              new BatchOfOneOracle(whole.getBlock(), small::evaluate)
                  .gradients(Halves.rounded(data, type, FloatType.FLOAT32), labels),
              norm -> 1);
      List<Parameter> parameters = trainable(half);
      NDList halves = Halves.rounded(data, type, type);
      IdentityHashMap<Parameter, double[]> scaled =
          clippedSum(half, halves, labels, small, 1, 1 << 22);
      for (int k = 0; k < expected.length; k++) {
        double[] sum = Objects.requireNonNull(scaled.get(parameters.get(k)));
        assertThat(BatchOfOneOracle.relativeError(sum, expected[k])).isLessThan(0.02);
      }
      IdentityHashMap<Parameter, double[]> lost =
          OneStep.firstStep(
              half,
              halves,
              labels,
              OneStep.engine(OneStep.everySample(SAMPLES, 1).build(), small).optSelfCheck(false));
      assertThat(BatchOfOneOracle.norm(Objects.requireNonNull(lost.get(parameters.get(0)))))
          .as("without a scale")
          .isZero();
    }
  }

  @Test
  void overflow_inOneSample_contributesZeroAndLeavesTheOthers() throws Exception {
    Recipe recipe = Recipe.LINEAR_RANK_2;
    FloatType type = FloatType.FLOAT16;
    try (Model half = Halves.round(recipe.model(), type, type)) {
      NDManager manager = half.getNDManager();
      NDList data = Halves.rounded(recipe.data(manager, SAMPLES), type, type);
      NDList labels = recipe.labels(manager, SAMPLES);
      NDArray far = labels.head().duplicate();
      // Its gradient times the scale is beyond float16.
      far.set(new ai.djl.ndarray.index.NDIndex("2"), 1e5f);
      List<Parameter> parameters = trainable(half);
      NDList others = new NDList(data.head().get("0:2").concat(data.head().get("3:"), 0));
      NDList otherLabels = new NDList(labels.head().get("0:2").concat(labels.head().get("3:"), 0));
      CapturingOptimizer all = new CapturingOptimizer();
      CapturingOptimizer without = new CapturingOptimizer();
      assertThat(step(half, data, new NDList(far), recipe, all)).isEqualTo(1);
      assertThat(step(half, others, otherLabels, recipe, without)).isZero();
      for (Parameter parameter : parameters) {
        assertThat(all.gradients.get(parameter)).isEqualTo(without.gradients.get(parameter));
      }
    }
  }

  private static long step(
      Model model, NDList data, NDList labels, Recipe recipe, CapturingOptimizer optimizer)
      throws Exception {
    try (PrivateTrainer trainer =
        OneStep.engine(OneStep.everySample(SAMPLES, 1).build(), loss(recipe))
            .optLossScale(1 << 4)
            .optSelfCheck(false)
            .build()
            .attach(model, optimizer)) {
      var batch = trainer.batches(OneStep.dataset(data, labels)).iterator().next();
      trainer.trainBatch(batch);
      trainer.step();
      batch.close();
      return trainer.nonFiniteSamples();
    }
  }

  @Test
  void lossScale_tooLargeForLossesOfFloat16_isRefused() {
    Recipe recipe = Recipe.LINEAR_RANK_2;
    try (Model half = Halves.round(recipe.model(), FloatType.FLOAT16, FloatType.FLOAT16)) {
      NDManager manager = half.getNDManager();
      NDList data =
          Halves.rounded(recipe.data(manager, SAMPLES), FloatType.FLOAT16, FloatType.FLOAT16);
      NDList labels =
          Halves.rounded(recipe.labels(manager, SAMPLES), FloatType.FLOAT16, FloatType.FLOAT16);
      assertThatThrownBy(() -> clippedSum(half, data, labels, new SquaredError(), 1, 1 << 16))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("lossScale must be <= 32768.0 for losses of float16, got 65536.0");
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -1, 0.5, 3, 1e-300, 33554432, Double.NaN, Double.POSITIVE_INFINITY})
  void optLossScale_notAPowerOfTwoInRange_isRefused(double scale) {
    assertThatThrownBy(
            () ->
                PrivacyEngine.builder(OneStep.everySample(SAMPLES, 1).build()).optLossScale(scale))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("lossScale must be a power of two in [1, 2^24], got " + scale);
  }
}
