/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.nn.transformer.IdEmbedding;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.nn.TiedLinear;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Norms and clipped sums of the engine against back-propagation on batches of one. */
@Tag("slow")
final class ExactnessTest {
  private static final double TOLERANCE = 1e-5;
  // Norms by Gram matrices are raised by what rounding may have taken from them.
  private static final double RAISED = 1e-4;
  // Clip factors are smaller by as much.
  private static final double SUMS = 3e-5;
  private static final int SAMPLES = 7;

  @ParameterizedTest(name = "{0}")
  @EnumSource
  void run_anyModel_normsAndGradientsEqualBatchOfOne(Recipe recipe) {
    try (Model model = recipe.model()) {
      NDManager manager = model.getNDManager();
      NDList data = recipe.data(manager, SAMPLES);
      NDList labels = recipe.labels(manager, SAMPLES);
      BatchOfOneOracle oracle = new BatchOfOneOracle(model.getBlock(), recipe.loss()::evaluate);
      double[][][] expected = oracle.gradients(data, labels);
      // The smallest bound, so that Gram matrices are tiled; clipped sums below use the default.
      PerformanceOptions options = PerformanceOptions.defaults().withTemporaryBytes(1 << 16);
      try (EngineProbe probe = new EngineProbe(model, recipe.loss(), options)) {
        requireEqual(recipe, oracle.parameters(), expected, probe.run(data, labels));
      }
    }
  }

  private static void requireEqual(
      Recipe recipe, List<Parameter> parameters, double[][][] expected, EngineProbe.Result actual) {
    assertThat(actual.gradients().keySet()).containsExactlyInAnyOrderElementsOf(parameters);
    double worstNorm = 0;
    double worstGradient = 0;
    for (int i = 0; i < SAMPLES; i++) {
      double whole = BatchOfOneOracle.norm(expected[i]);
      assertThat(whole).isGreaterThan(0);
      for (int k = 0; k < parameters.size(); k++) {
        double[] wanted = expected[i][k];
        double norm = BatchOfOneOracle.norm(wanted);
        double squared = actual.squaredNorm(parameters.get(k), i);
        double error = (Math.sqrt(squared) - norm) / norm;
        worstNorm = Math.max(worstNorm, error > 0 ? error * TOLERANCE / RAISED : -error);
        worstGradient =
            Math.max(
                worstGradient,
                BatchOfOneOracle.relativeError(actual.gradient(parameters.get(k), i), wanted));
      }
      assertThat(actual.norm(i)).isBetween(whole * (1 - TOLERANCE), whole * (1 + RAISED));
    }
    Figures.report("relative error of a norm, " + recipe, worstNorm);
    Figures.report("relative error of a gradient, " + recipe, worstGradient);
    assertThat(worstNorm).as("norms").isLessThan(TOLERANCE);
    assertThat(worstGradient).as("gradients").isLessThan(TOLERANCE);
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource
  void step_anyModel_clippedSumEqualsBatchOfOne(Recipe recipe) {
    try (Model model = recipe.model()) {
      NDManager manager = model.getNDManager();
      NDList data = recipe.data(manager, SAMPLES);
      NDList labels = recipe.labels(manager, SAMPLES);
      BatchOfOneOracle oracle = new BatchOfOneOracle(model.getBlock(), recipe.loss()::evaluate);
      double[][][] gradients = oracle.gradients(data, labels);
      double clipNorm = medianNorm(gradients);
      double[][] abadi = BatchOfOneOracle.clippedSum(gradients, n -> Math.min(1, clipNorm / n));
      double[][] automatic = BatchOfOneOracle.clippedSum(gradients, n -> clipNorm / (n + 0.01));
      requireSum(recipe, model, data, labels, ClippingFunction.abadi(), clipNorm, 3, oracle, abadi);
      requireSum(
          recipe,
          model,
          data,
          labels,
          ClippingFunction.automatic(),
          clipNorm,
          SAMPLES,
          oracle,
          automatic);
    }
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource(names = {"TRANSFORMER", "TIED_HEAD_ALL_USED_TWICE", "LAYER_NORM_USED_TWICE"})
  void step_anyPhysicalBatchSize_sameSum(Recipe recipe) {
    try (Model model = recipe.model()) {
      NDManager manager = model.getNDManager();
      NDList data = recipe.data(manager, SAMPLES);
      NDList labels = recipe.labels(manager, SAMPLES);
      BatchOfOneOracle oracle = new BatchOfOneOracle(model.getBlock(), recipe.loss()::evaluate);
      double[][][] gradients = oracle.gradients(data, labels);
      double clipNorm = medianNorm(gradients);
      double[][] expected = BatchOfOneOracle.clippedSum(gradients, n -> clipNorm / (n + 0.01));
      for (int physical : new int[] {1, 2, 4, SAMPLES, SAMPLES + 1}) {
        requireSum(
            recipe,
            model,
            data,
            labels,
            ClippingFunction.automatic(),
            clipNorm,
            physical,
            oracle,
            expected);
      }
    }
  }

  private static void requireSum(
      Recipe recipe,
      Model model,
      NDList data,
      NDList labels,
      ClippingFunction clipping,
      double clipNorm,
      int physicalBatchSize,
      BatchOfOneOracle oracle,
      double[][] expected) {
    IdentityHashMap<Parameter, double[]> actual =
        OneStep.clippedSum(
            model,
            data,
            labels,
            recipe.loss(),
            clipping,
            clipNorm,
            PerformanceOptions.defaults().withPhysicalBatchSize(physicalBatchSize));
    assertThat(actual.keySet()).containsExactlyInAnyOrderElementsOf(oracle.parameters());
    double whole = BatchOfOneOracle.norm(expected);
    double worst = 0;
    for (int k = 0; k < expected.length; k++) {
      double[] sum = Objects.requireNonNull(actual.get(oracle.parameters().get(k)));
      double error = BatchOfOneOracle.relativeError(sum, expected[k]);
      // Samples may cancel in the sum of one parameter; the sum as a whole is the scale then.
      double scale = BatchOfOneOracle.norm(expected[k]) / whole;
      worst = Math.max(worst, scale < 0.01 ? error * scale : error);
    }
    Figures.report("relative error of a clipped sum, " + recipe, worst);
    assertThat(worst).as("%s, physical %d", clipping, physicalBatchSize).isLessThan(SUMS);
  }

  @ParameterizedTest(name = "tied {0}")
  @ValueSource(booleans = {false, true})
  void run_noPosition_equalsBatchOfOne(boolean tied) {
    // Sequences of no length: what is used at every position has no gradient, the rest has.
    IdEmbedding table = Recipe.idEmbedding(5, 3);
    Wiring wiring =
        new Wiring(
                (call, x) -> {
                  NDArray h = call.run("words", x.get(":, 0:0")).tanh();
                  NDArray y = call.run("norm", call.run("dense", h)).sum(new int[] {1});
                  NDArray z = call.run("head", y);
                  return tied ? z.add(call.run("words", x).sum(new int[] {1})) : z;
                })
            .part("words", table, 4)
            .part("dense", tied ? new TiedLinear(table) : Recipe.linear(3), 4, 3)
            .part("norm", LayerNorm.builder().axis(2).build(), 4, tied ? 5 : 3)
            .part("head", Recipe.linear(3), tied ? 5 : 3);
    try (Model model = OneStep.model(wiring)) {
      NDManager manager = model.getNDManager();
      wiring.initialize(manager, DataType.FLOAT32, new Shape(1, 4));
      NDList data = new NDList(OneStep.ids(manager, 3, 5, SAMPLES, 4));
      NDList labels = new NDList(OneStep.normal(manager, 4, 1, SAMPLES, 3));
      BatchOfOneOracle oracle = new BatchOfOneOracle(wiring, new SquaredError()::evaluate);
      double[][][] expected = oracle.gradients(data, labels);
      PerformanceOptions options = PerformanceOptions.defaults();
      try (EngineProbe probe = new EngineProbe(model, new SquaredError(), options)) {
        EngineProbe.Result actual = probe.run(data, labels);
        assertThat(actual.gradients().keySet())
            .containsExactlyInAnyOrderElementsOf(oracle.parameters());
        for (int i = 0; i < SAMPLES; i++) {
          double whole = BatchOfOneOracle.norm(expected[i]);
          assertThat(actual.norm(i)).isCloseTo(whole, within(whole * TOLERANCE));
          for (int k = 0; k < oracle.parameters().size(); k++) {
            assertThat(
                    BatchOfOneOracle.relativeError(
                        actual.gradient(oracle.parameters().get(k), i), expected[i][k]))
                .isLessThan(TOLERANCE);
          }
        }
      }
      // The self-check agrees.
      OneStep.firstStep(
          model,
          data,
          labels,
          OneStep.engine(OneStep.everySample(SAMPLES, 1).build(), new SquaredError()));
    }
  }

  @Test
  void clip_halfTheSamples_medianClipNormScalesSomeAndKeepsSome() {
    // The tests above would say little if the clip norm left every sample alone, or none.
    try (Model model = Recipe.TRANSFORMER.model()) {
      NDManager manager = model.getNDManager();
      double[][][] gradients =
          new BatchOfOneOracle(model.getBlock(), Recipe.TRANSFORMER.loss()::evaluate)
              .gradients(
                  Recipe.TRANSFORMER.data(manager, SAMPLES),
                  Recipe.TRANSFORMER.labels(manager, SAMPLES));
      double clipNorm = medianNorm(gradients);
      long clipped =
          Arrays.stream(gradients).filter(g -> BatchOfOneOracle.norm(g) > clipNorm).count();
      assertThat(clipped).isEqualTo(SAMPLES / 2);
    }
  }

  private static double medianNorm(double[][][] gradients) {
    double[] norms =
        Arrays.stream(gradients).mapToDouble(BatchOfOneOracle::norm).sorted().toArray();
    return norms[norms.length / 2];
  }

  private static org.assertj.core.data.Offset<Double> within(double offset) {
    return org.assertj.core.data.Offset.offset(offset);
  }
}
