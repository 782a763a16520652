/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.fastdp.accounting.accountant.FdpAccountant;
import ai.fastdp.accounting.event.ComposedEvent;
import ai.fastdp.accounting.event.DiscreteGaussianEvent;
import ai.fastdp.accounting.event.PoissonSampledEvent;
import ai.fastdp.accounting.statement.NoiseOrigin;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.mechanism.NoiseSource;
import ai.fastdp.mechanism.PredictableNoise;
import ai.fastdp.plan.NoiseDistribution;
import ai.fastdp.plan.PlanManifest;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.plan.PrivacyPlanBuilder;
import ai.fastdp.sampling.PrivateBatch;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole private steps with discrete noise, against batch-of-one back-propagation and integers. */
@Tag("slow")
final class DiscreteNoiseTest {
  // A power of two, so that dividing by the batch size loses nothing.
  private static final int SAMPLES = 8;
  private static final double CLIP_NORM = 0.75;
  private static final double SIGMA = 1.25;

  private Model model;
  private NDList data;
  private NDList labels;

  @BeforeEach
  void open() {
    model = SmallRun.model();
    NDManager manager = model.getNDManager();
    data = new NDList(OneStep.normal(manager, 3, 2, SAMPLES, 5));
    labels = new NDList(OneStep.normal(manager, 4, 2, SAMPLES, 3));
  }

  @AfterEach
  void close() {
    model.close();
  }

  private static PrivacyPlanBuilder plan() {
    return OneStep.everySample(SAMPLES, 3, SIGMA)
        .setClipNorm(CLIP_NORM)
        .optClipping(ClippingFunction.abadi())
        .optNoise(NoiseDistribution.DISCRETE_GAUSSIAN);
  }

  private List<double[]> train(
      PrivacyPlan plan, NoiseSource noise, NDList trained, NDList trainedLabels, int microBatch)
      throws Exception {
    Flattening optimizer = new Flattening();
    try (PrivateTrainer trainer =
        PrivacyEngine.builder(plan)
            .optLoss(new SquaredError())
            .optSelfCheck(false)
            .optPerformance(PerformanceOptions.defaults().withPhysicalBatchSize(microBatch))
            .predictable(noise, new Random(1))
            .build()
            .attach(model, optimizer)) {
      for (PrivateBatch batch : trainer.batches(OneStep.dataset(trained, trainedLabels))) {
        trainer.trainBatch(batch);
        trainer.step();
        batch.close();
      }
    }
    return optimizer.steps();
  }

  private double[] oracle(double clipNorm) {
    double[][] sums =
        BatchOfOneOracle.clippedSum(
            new BatchOfOneOracle(model.getBlock(), new SquaredError()::evaluate)
                .gradients(data, labels),
            norm -> Math.min(1, clipNorm / norm));
    return Arrays.stream(sums).flatMapToDouble(Arrays::stream).toArray();
  }

  private static double spacing(int size) {
    return spacing(size, CLIP_NORM);
  }

  /** By its definition: the largest power of two with spacing * sqrt(d) at most S / 4096. */
  static double spacing(int size, double sensitivity) {
    double spacing = 1;
    while (spacing * Math.sqrt(size) > sensitivity / 4096) {
      spacing /= 2;
    }
    return spacing;
  }

  /** What was released in units of the grid, less the integers that the source gives the step. */
  private static long[] sumOnGrid(double[] released, long seed, int step) {
    double spacing = spacing(released.length);
    long[] noise =
        PredictableNoise.integers(
            PredictableNoise.seeded(seed), step, released.length, SIGMA * CLIP_NORM / spacing);
    long[] sum = new long[released.length];
    for (int j = 0; j < sum.length; j++) {
      double integer = released[j] * SAMPLES / spacing;
      assertThat(integer).as("coordinate %d on the grid", j).isEqualTo(Math.rint(integer));
      sum[j] = (long) integer - noise[j];
    }
    return sum;
  }

  @ParameterizedTest(name = "micro-batches of {0}")
  @ValueSource(ints = {1, 3, SAMPLES})
  void step_anyMicroBatches_releasesTheTightlyClippedSumPlusOneDraw(int microBatch)
      throws Exception {
    PrivacyPlan plan = plan().build();
    // Clipped to 255/256 of the clip norm, at the noise of the whole.
    double[] expected = oracle(CLIP_NORM * 255 / 256);
    List<double[]> steps = train(plan, PredictableNoise.seeded(41), data, labels, microBatch);
    assertThat(steps).hasSize(3);
    for (int step = 0; step < 3; step++) {
      long[] sum = sumOnGrid(steps.get(step), 41, step);
      double spacing = spacing(sum.length);
      for (int j = 0; j < sum.length; j++) {
        assertThat(sum[j] * spacing)
            .as("step %d, coordinate %d", step, j)
            .isCloseTo(expected[j], within(0.5001 * spacing + 2e-6));
      }
    }
  }

  @Test
  void step_oneSampleLess_movesTheIntegersByAtMostTheSensitivity() throws Exception {
    PrivacyPlan plan = plan().build();
    long[] whole =
        sumOnGrid(train(plan, PredictableNoise.seeded(42), data, labels, 3).get(0), 42, 0);
    double spacing = spacing(whole.length);
    for (int left = 0; left < SAMPLES; left++) {
      // A sample that is not finite contributes zero: the neighbour without it.
      NDList fewer = new NDList(data.head().duplicate());
      fewer.head().set(new NDIndex("{}", left), Float.NaN);
      long[] without =
          sumOnGrid(train(plan, PredictableNoise.seeded(42), fewer, labels, 3).get(0), 42, 0);
      double square = 0;
      for (int j = 0; j < whole.length; j++) {
        square += Math.pow((double) (whole[j] - without[j]), 2);
      }
      double distance = Math.sqrt(square) * spacing;
      assertThat(distance).isLessThanOrEqualTo(plan.sensitivity());
      // All samples are beyond the clip norm, so the bound is nearly met: 1/256 is left free.
      assertThat(distance).isGreaterThan(plan.sensitivity() * 0.99);
      assertThat(distance)
          .isLessThan(plan.sensitivity() * 255 / 256 + spacing * Math.sqrt(whole.length) + 1e-5);
    }
  }

  /**
   * The assumption that no proof covers: what float32 does to sums stays within the room that is
   * left for it, (1/256 - 1/4096) of the clip norm.
   */
  @Test
  void clippedSums_neighbours_areFurtherApartThanTheClipNormByLessThanTheRoom() {
    int samples = 512;
    double clipNorm = 1;
    double worst = 0;
    try (Model transformer = OneStep.model(new TinyTransformer(31, 8, 12, 2))) {
      NDManager manager = transformer.getNDManager();
      transformer.getBlock().initialize(manager, DataType.FLOAT32, new Shape(1, 8));
      NDList ids = Recipe.TRANSFORMER.data(manager, samples);
      NDList next = Recipe.TRANSFORMER.labels(manager, samples);
      double[] whole = computedSum(transformer, ids, next, clipNorm);
      for (int left : new int[] {0, 7, 300, samples - 1}) {
        double[] without =
            computedSum(transformer, without(ids, left), without(next, left), clipNorm);
        double[] difference = new double[whole.length];
        for (int j = 0; j < whole.length; j++) {
          difference[j] = whole[j] - without[j];
        }
        worst = Math.max(worst, BatchOfOneOracle.norm(difference));
      }
    }
    // A tenth of the room. The samples are clipped, so the sums are apart by the clip norm and by
    // rounding.
    assertThat(worst).isBetween(clipNorm * 0.999, clipNorm * (1 + (0x1p-8 - 0x1p-12) / 10));
  }

  private static NDList without(NDList list, int left) {
    NDArray array = list.head();
    long samples = array.getShape().get(0);
    if (left == 0) {
      return new NDList(array.get(new NDIndex("1:")));
    }
    return new NDList(
        left == samples - 1
            ? array.get(new NDIndex("0:{}", left))
            : array
                .get(new NDIndex("0:{}", left))
                .concat(array.get(new NDIndex("{}:", left + 1)), 0));
  }

  private static double[] computedSum(Model of, NDList data, NDList labels, double clipNorm) {
    IdentityHashMap<Parameter, double[]> sums =
        OneStep.clippedSum(
            of,
            data,
            labels,
            Recipe.TRANSFORMER.loss(),
            ClippingFunction.abadi(),
            clipNorm,
            PerformanceOptions.defaults().withPhysicalBatchSize(64));
    return new BatchOfOneOracle(of.getBlock(), (l, p) -> p.head())
        .parameters().stream()
            .flatMapToDouble(parameter -> Arrays.stream(sums.get(parameter)))
            .toArray();
  }

  @Test
  void plan_discreteNoise_isInEventBudgetAndText() {
    PrivacyPlan plan = plan().build();
    assertThat(plan.noise()).isEqualTo(NoiseDistribution.DISCRETE_GAUSSIAN);
    assertThat(plan.stepEvent(0))
        .isEqualTo(new PoissonSampledEvent(1, new DiscreteGaussianEvent(SIGMA)));
    assertThat(plan.sensitivity()).isEqualTo(CLIP_NORM);
    assertThat(PlanManifest.of(plan, NoiseOrigin.Kind.SECURE_STREAM).text())
        .contains("noise = DISCRETE_GAUSSIAN");
    assertThat(PlanManifest.of(plan, NoiseOrigin.Kind.SECURE_STREAM).hash())
        .isNotEqualTo(
            PlanManifest.of(
                    plan().optNoise(NoiseDistribution.GAUSSIAN).build(),
                    NoiseOrigin.Kind.SECURE_STREAM)
                .hash());
  }

  @Test
  void plan_adaptiveClipping_chargesADiscreteQuery() throws Exception {
    PrivacyPlan plan = plan().optClipping(ClippingFunction.adaptiveQuantile(0.5, 3)).build();
    assertThat(plan.stepEvent(0))
        .isEqualTo(
            new PoissonSampledEvent(
                1,
                new ComposedEvent(
                    List.of(new DiscreteGaussianEvent(SIGMA), new DiscreteGaussianEvent(6)))));
    assertThat(train(plan, NoiseSource.secure(), data, labels, 3)).hasSize(3);
  }

  @Test
  void plan_accountantWithoutARule_isRefusedAndTheRemedyNamed() {
    assertThatThrownBy(() -> plan().optAccountant(FdpAccountant::new).build())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("with RdpAccountant");
  }

  @ParameterizedTest
  @ValueSource(doubles = {1e-4, 2000})
  void plan_noiseOffTheGrid_isRefused(double sigma) {
    assertThatThrownBy(
            () ->
                OneStep.everySample(SAMPLES, 3, sigma)
                    .setClipNorm(CLIP_NORM)
                    .optNoise(NoiseDistribution.DISCRETE_GAUSSIAN)
                    .build())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("for discrete noise, got " + sigma);
  }
}
