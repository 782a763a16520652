/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.training.dataset.ArrayDataset;
import ai.fastdp.accounting.accountant.EpsilonBound;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.event.ComposedEvent;
import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.PoissonSampledEvent;
import ai.fastdp.accounting.event.QuantileQueryEvent;
import ai.fastdp.accounting.ledger.InMemoryLedger;
import ai.fastdp.accounting.ledger.PrivacyLedger;
import ai.fastdp.clipping.AdaptiveQuantileClipping;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.clipping.ClippingStyle;
import ai.fastdp.clipping.QuantileQuery;
import ai.fastdp.mechanism.NoiseSource;
import ai.fastdp.mechanism.PredictableNoise;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.plan.PrivacyPlanBuilder;
import ai.fastdp.plan.StepSchedule;
import ai.fastdp.sampling.PrivateBatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Clip, noise and event of a step agree, whatever clip norm and noise multiplier the step has: by a
 * schedule, or by adaptive clipping. All three are measured from outside.
 */
@Tag("slow")
final class StepAgreementTest {
  private static final int SAMPLES = 6;
  private static final int INPUTS = 300;
  private static final int OUTPUTS = 200;
  // Deviation of a standard deviation measured on 60,000 numbers: 0.3 %; six of them.
  private static final double MEASURED = 0.018;

  private Model model;
  private Block block;
  private NDManager manager;
  private final List<DpEvent> events = new ArrayList<>();
  private final CapturingOptimizer optimizer = new CapturingOptimizer();

  @BeforeEach
  void open() {
    block = Recipe.plainLinear(OUTPUTS);
    model = OneStep.model(block);
    manager = model.getNDManager();
    block.initialize(manager, DataType.FLOAT32, new Shape(1, INPUTS));
  }

  @AfterEach
  void close() {
    model.close();
  }

  private static PrivacyPlanBuilder plan() {
    return OneStep.everySample(SAMPLES, 8, 2).optClipping(ClippingFunction.abadi());
  }

  /** Writes down what is charged. */
  private final class Recording implements PrivacyLedger {
    private final PrivacyLedger ledger;

    Recording(PrivacyPlan plan) {
      ledger = new InMemoryLedger(plan.newAccountant(), plan.budget());
    }

    @Override
    public PrivacyBudget budget() {
      return ledger.budget();
    }

    @Override
    public void charge(DpEvent event) {
      ledger.charge(event);
      events.add(event);
    }

    @Override
    public EpsilonBound spent() {
      return ledger.spent();
    }

    @Override
    public Map<DpEvent, Long> charged() {
      return ledger.charged();
    }

    @Override
    public void close() {
      ledger.close();
    }
  }

  private PrivateTrainer trainer(PrivacyPlan plan, NoiseSource noise) {
    return trainer(plan, noise, new Random(1));
  }

  private PrivateTrainer trainer(PrivacyPlan plan, NoiseSource noise, RandomGenerator sampling) {
    return PrivacyEngine.builder(plan)
        .optLoss(new SquaredError())
        .optSelfCheck(false)
        .optPerformance(PerformanceOptions.defaults().withPhysicalBatchSize(4))
        .ledger(new Recording(plan))
        .predictable(noise, sampling)
        .build()
        .attach(model, optimizer);
  }

  private NDList data(float scale) {
    return new NDList(OneStep.normal(manager, 1, scale, SAMPLES, INPUTS));
  }

  private NDList labels() {
    return new NDList(OneStep.normal(manager, 2, 1, SAMPLES, OUTPUTS));
  }

  /** One logical step; returns the gradient times the expected batch size. */
  private double[] step(PrivateTrainer trainer, Iterator<PrivateBatch> batches) {
    int before = optimizer.updates;
    while (optimizer.updates == before) {
      PrivateBatch batch = batches.next();
      trainer.trainBatch(batch);
      trainer.step();
      batch.close();
    }
    double[] gradient = BatchOfOneOracle.widened(optimizer.gradients.values().iterator().next());
    return Arrays.stream(gradient).map(g -> g * trainer.plan().expectedBatchSize()).toArray();
  }

  private static double deviation(double[] values) {
    return BatchOfOneOracle.norm(values) / Math.sqrt(values.length);
  }

  /** The noise multiplier of the gradient in an event, read by hand. */
  private static double charged(DpEvent event) {
    DpEvent inner = ((PoissonSampledEvent) event).event();
    return inner instanceof GaussianEvent gaussian
        ? gaussian.noiseMultiplier()
        : ((GaussianEvent) ((ComposedEvent) inner).events().get(0)).noiseMultiplier();
  }

  private double[] clippedSum(double clipNorm) {
    double[][][] gradients =
        new BatchOfOneOracle(block, new SquaredError()::evaluate).gradients(data(1), labels());
    return BatchOfOneOracle.clippedSum(gradients, n -> Math.min(1, clipNorm / n))[0];
  }

  // ---------------------------------------------------------------- schedules

  @Test
  void step_clipNormSchedule_reachesClipAndNoiseTogether() throws Exception {
    StepSchedule schedule = StepSchedule.staircase(2, 0.25);
    PrivacyPlan plan = plan().setClipNorm(3).optClipNormSchedule(schedule).build();
    double[] clipNorms = {3, 3, 0.75, 0.75, 0.1875, 0.1875, 0.046875, 0.046875};
    try (PrivateTrainer trainer = trainer(plan, PredictableNoise.none())) {
      Iterator<PrivateBatch> batches =
          trainer.batches(OneStep.dataset(data(1), labels())).iterator();
      for (double clipNorm : clipNorms) {
        assertThat(trainer.clippingState().clipNorm()).isEqualTo(clipNorm);
        double[] expected = clippedSum(clipNorm);
        // Every gradient is far above the clip norm, so that the sum follows it.
        assertThat(BatchOfOneOracle.norm(expected)).isBetween(clipNorm, clipNorm * SAMPLES);
        assertThat(BatchOfOneOracle.relativeError(step(trainer, batches), expected))
            .isLessThan(1e-5);
      }
    }
    events.clear();
    try (PrivateTrainer trainer = trainer(plan, PredictableNoise.seeded(3))) {
      // Inputs of zero give gradients of zero: what is left is the noise.
      Iterator<PrivateBatch> batches =
          trainer.batches(OneStep.dataset(data(0), labels())).iterator();
      for (int t = 0; t < clipNorms.length; t++) {
        double noise = deviation(step(trainer, batches));
        assertThat(noise / clipNorms[t]).isCloseTo(2, within(2 * MEASURED));
        assertThat(charged(events.get(t))).isEqualTo(2);
      }
    }
  }

  @Test
  void step_noiseSchedule_reachesNoiseAndEventTogether() throws Exception {
    PrivacyPlan plan =
        plan().setClipNorm(0.5).optNoiseSchedule(StepSchedule.exponential(1.37)).build();
    try (PrivateTrainer trainer = trainer(plan, PredictableNoise.seeded(4))) {
      Iterator<PrivateBatch> batches =
          trainer.batches(OneStep.dataset(data(0), labels())).iterator();
      for (int t = 0; t < 8; t++) {
        double noise = deviation(step(trainer, batches)) / 0.5;
        assertThat(charged(events.get(t)) / noise).isCloseTo(1, within(MEASURED));
        // Never less than was asked for, and at most 1.1 % more.
        double asked = 2 * Math.pow(1.37, t);
        assertThat(charged(events.get(t))).isBetween(asked, asked * 1.0110);
      }
      assertThat(trainer.spent().upper().orElseThrow())
          .isLessThanOrEqualTo(plan.budget().epsilon());
    }
  }

  @Test
  void step_givenClipNormsUnderASchedule_keepTheirProportions() throws Exception {
    block =
        new Wiring((call, x) -> call.run("b", call.run("a", x)))
            .part("a", Recipe.plainLinear(3), 4)
            .part("b", Recipe.plainLinear(2), 3);
    try (Model small = OneStep.model(block)) {
      block.initialize(small.getNDManager(), DataType.FLOAT32, new Shape(1, 4));
      PrivacyPlan plan =
          plan()
              .optStyle(ClippingStyle.layerWise().withClipNorms(0.03, 0.04))
              .optClipNormSchedule(StepSchedule.exponential(0.5))
              .build();
      assertThat(plan.clipNorm()).isEqualTo(0.05);
      assertThat(plan.sensitivity()).isEqualTo(0.05);
      NDList x = new NDList(OneStep.normal(manager, 5, 1, SAMPLES, 4));
      NDList y = new NDList(OneStep.normal(manager, 6, 9, SAMPLES, 2));
      BatchOfOneOracle oracle = new BatchOfOneOracle(block, new SquaredError()::evaluate);
      double[][][] gradients = oracle.gradients(x, y);
      try (PrivateTrainer trainer =
          PrivacyEngine.builder(plan)
              .optLoss(new SquaredError())
              .predictable(PredictableNoise.none(), new Random(1))
              .build()
              .attach(small, optimizer)) {
        Iterator<PrivateBatch> batches = trainer.batches(OneStep.dataset(x, y)).iterator();
        for (double factor : new double[] {1, 0.5, 0.25}) {
          PrivateBatch batch = batches.next();
          trainer.trainBatch(batch);
          trainer.step();
          batch.close();
          for (int k = 0; k < 2; k++) {
            double bound = (k == 0 ? 0.03 : 0.04) * factor;
            double[] expected = new double[gradients[0][k].length];
            for (double[][] sample : gradients) {
              double norm = BatchOfOneOracle.norm(sample[k]);
              for (int j = 0; j < expected.length; j++) {
                expected[j] += Math.min(1, bound / norm) * sample[k][j] / SAMPLES;
              }
            }
            double[] actual =
                BatchOfOneOracle.widened(
                    Objects.requireNonNull(optimizer.gradients.get(oracle.parameters().get(k))));
            assertThat(BatchOfOneOracle.relativeError(actual, expected)).isLessThan(1e-5);
          }
        }
      }
    }
  }

  // ---------------------------------------------------------------- adaptive clipping

  private static ClippingFunction adaptive(double quantile, double rate, double countNoise) {
    return new AdaptiveQuantileClipping(new QuantileQuery(quantile, rate, countNoise));
  }

  @Test
  void step_adaptive_clipNormFollowsTheShareOfUnclippedSamples() throws Exception {
    double[][][] gradients =
        new BatchOfOneOracle(block, new SquaredError()::evaluate).gradients(data(1), labels());
    double[] norms = Arrays.stream(gradients).mapToDouble(BatchOfOneOracle::norm).toArray();
    double start = Arrays.stream(norms).max().orElseThrow() * 1.5;
    PrivacyPlan plan = plan().setClipNorm(start).optClipping(adaptive(0.4, 0.9, 3)).build();
    double clipNorm = start;
    int moved = 0;
    try (PrivateTrainer trainer = trainer(plan, PredictableNoise.none())) {
      Iterator<PrivateBatch> batches =
          trainer.batches(OneStep.dataset(data(1), labels())).iterator();
      for (int t = 0; t < 8; t++) {
        double current = clipNorm;
        double[] expected =
            BatchOfOneOracle.clippedSum(gradients, n -> Math.min(1, current / n))[0];
        assertThat(BatchOfOneOracle.relativeError(step(trainer, batches), expected))
            .isLessThan(1e-5);
        // Two micro-batches of 4 and 2 samples: the share is of all six.
        double share = Arrays.stream(norms).filter(n -> n <= current).count() / 6.0;
        clipNorm *= Math.exp(-0.9 * (share - 0.4));
        moved += share > 0 && share < 1 ? 1 : 0;
        assertThat(trainer.clippingState().clipNorm()).isCloseTo(clipNorm, within(1e-6 * clipNorm));
      }
    }
    assertThat(moved).isPositive();
  }

  @Test
  void step_adaptive_noiseFollowsTheClipNormAndBothAreCharged() throws Exception {
    PrivacyPlan plan = plan().setClipNorm(0.5).optClipping(adaptive(0.1, 0.8, 2)).build();
    try (PrivateTrainer trainer = trainer(plan, PredictableNoise.seeded(8))) {
      Iterator<PrivateBatch> batches =
          trainer.batches(OneStep.dataset(data(0), labels())).iterator();
      double first = trainer.clippingState().clipNorm();
      for (int t = 0; t < 8; t++) {
        double clipNorm = trainer.clippingState().clipNorm();
        double noise = deviation(step(trainer, batches));
        assertThat(noise / clipNorm).isCloseTo(2, within(2 * MEASURED));
        assertThat(events.get(t))
            .isEqualTo(
                new PoissonSampledEvent(
                    1,
                    new ComposedEvent(List.of(new GaussianEvent(2), new QuantileQueryEvent(2)))));
      }
      // Gradients of zero are never clipped, so that the clip norm has come down.
      assertThat(trainer.clippingState().clipNorm()).isLessThan(0.5 * first);
      assertThat(trainer.spent().upper().orElseThrow())
          .isLessThanOrEqualTo(plan.budget().epsilon());
    }
  }

  @Test
  void step_adaptive_countHasTheNoiseThatIsCharged() throws Exception {
    // ln C_{t+1} - ln C_t = -rate (share - quantile), with the noise countNoise / B on the share.
    double countNoise = 3;
    PrivacyPlan plan = plan().setClipNorm(1).optClipping(adaptive(1, 0.01, countNoise)).build();
    double sum = 0;
    double squares = 0;
    int count = 0;
    for (int run = 0; run < 60; run++) {
      try (PrivateTrainer trainer = trainer(plan, PredictableNoise.seeded(100 + run))) {
        Iterator<PrivateBatch> batches =
            trainer.batches(OneStep.dataset(data(0), labels())).iterator();
        double before = trainer.clippingState().clipNorm();
        for (int t = 0; t < 8; t++) {
          step(trainer, batches);
          double after = trainer.clippingState().clipNorm();
          double noise = -Math.log(after / before) / 0.01 * SAMPLES;
          sum += noise;
          squares += noise * noise;
          count++;
          before = after;
        }
      }
    }
    // 480 numbers: a standard error of 0.046 for the mean, of 3.2 % for the deviation.
    assertThat(sum / count / countNoise).isCloseTo(0, within(6 * 0.046));
    assertThat(Math.sqrt(squares / count) / countNoise).isCloseTo(1, within(6 * 0.032));
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void step_adaptiveByGroups_aSampleIsUnclippedWhereNoGroupIsClipped(boolean layerWise)
      throws Exception {
    block =
        new Wiring((call, x) -> call.run("b", call.run("a", x)))
            .part("a", Recipe.plainLinear(3), 4)
            .part("b", Recipe.plainLinear(2), 3);
    try (Model small = OneStep.model(block)) {
      block.initialize(small.getNDManager(), DataType.FLOAT32, new Shape(1, 4));
      NDList x = new NDList(OneStep.normal(manager, 5, 1, SAMPLES, 4));
      NDList y = new NDList(OneStep.normal(manager, 6, 9, SAMPLES, 2));
      double[][][] gradients =
          new BatchOfOneOracle(block, new SquaredError()::evaluate).gradients(x, y);
      double start =
          Arrays.stream(gradients).mapToDouble(BatchOfOneOracle::norm).sorted().toArray()[4];
      PrivacyPlan plan =
          plan()
              .setClipNorm(start)
              .optClipping(adaptive(0.5, 1, 2))
              .optStyle(layerWise ? ClippingStyle.layerWise() : ClippingStyle.allLayer())
              .build();
      long unclipped =
          Arrays.stream(gradients)
              .filter(
                  g ->
                      layerWise
                          ? Math.max(BatchOfOneOracle.norm(g[0]), BatchOfOneOracle.norm(g[1]))
                              <= start / Math.sqrt(2)
                          : BatchOfOneOracle.norm(g) <= start * (1 + 1e-6))
              .count();
      assertThat(unclipped).isBetween(1L, 5L);
      try (PrivateTrainer trainer =
          PrivacyEngine.builder(plan)
              .optLoss(new SquaredError())
              .predictable(PredictableNoise.none(), new Random(1))
              .build()
              .attach(small, optimizer)) {
        PrivateBatch batch = trainer.batches(OneStep.dataset(x, y)).iterator().next();
        trainer.trainBatch(batch);
        trainer.step();
        // The norm at the bound itself may round either way.
        double share = unclipped / 6.0;
        double oneLess = (unclipped - 1) / 6.0;
        double moved = -Math.log(trainer.clippingState().clipNorm() / start) + 0.5;
        assertThat(Math.min(Math.abs(moved - share), Math.abs(moved - oneLess))).isLessThan(1e-6);
      }
    }
  }

  @Test
  void step_adaptiveSampleNotFinite_countsAsClipped() throws Exception {
    float[] values = new float[SAMPLES * INPUTS];
    values[0] = Float.NaN;
    NDArray data = manager.create(values, new Shape(SAMPLES, INPUTS));
    PrivacyPlan plan = plan().setClipNorm(1).optClipping(adaptive(0, 1, 2)).build();
    try (PrivateTrainer trainer = trainer(plan, PredictableNoise.none())) {
      step(trainer, trainer.batches(OneStep.dataset(new NDList(data), labels())).iterator());
      assertThat(-Math.log(trainer.clippingState().clipNorm())).isCloseTo(5 / 6.0, within(1e-6));
      assertThat(trainer.nonFiniteSamples()).isEqualTo(1);
    }
  }

  @Test
  void step_adaptiveEmptyBatch_isAnsweredWithHalf() throws Exception {
    ArrayDataset dataset = OneStep.dataset(data(1), labels());
    PrivacyPlan plan =
        PrivacyPlan.builder()
            .setDatasetSize(SAMPLES)
            .setSampleRate(0.01)
            .setSteps(8)
            .setNoiseMultiplier(2)
            .setDelta(1e-5)
            .setClipNorm(1)
            .optClipping(adaptive(0, 1, 2))
            .build();
    // The gaps between samples are huge: none is drawn.
    try (PrivateTrainer trainer = trainer(plan, PredictableNoise.none(), () -> -1L)) {
      PrivateBatch batch = trainer.batches(dataset).iterator().next();
      assertThat(batch.isEmpty()).isTrue();
      trainer.trainBatch(batch);
      trainer.step();
      assertThat(-Math.log(trainer.clippingState().clipNorm())).isCloseTo(0.5, within(1e-6));
      assertThat(events).hasSize(1);
    }
  }

  @Test
  void step_adaptiveForLong_staysWithinAMillionfold() throws Exception {
    PrivacyPlan plan = plan().setClipNorm(1).optClipping(adaptive(0, 1000, 2)).build();
    try (PrivateTrainer trainer = trainer(plan, PredictableNoise.none())) {
      step(trainer, trainer.batches(OneStep.dataset(data(0), labels())).iterator());
      assertThat(trainer.clippingState().clipNorm()).isEqualTo(1e-6);
    }
  }
}
