/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.engine.EngineException;
import ai.djl.metric.Metrics;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.EasyTrain;
import ai.djl.training.GradientCollector;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Batch;
import ai.djl.training.evaluator.Accuracy;
import ai.djl.training.listener.TrainingListener;
import ai.fastdp.accounting.accountant.EpsilonBound;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.ledger.InMemoryLedger;
import ai.fastdp.accounting.ledger.PrivacyBudgetExceededException;
import ai.fastdp.accounting.ledger.PrivacyLedger;
import ai.fastdp.loss.PerSampleLoss;
import ai.fastdp.mechanism.NoiseSource;
import ai.fastdp.mechanism.PredictableNoise;
import ai.fastdp.mechanism.PrivatizedGradient;
import ai.fastdp.optimizer.DpOptimizer;
import ai.fastdp.plan.PrivacyPlan;
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
import org.junit.jupiter.params.provider.CsvSource;

/** The order of calls, what is charged when, and what a step leaves behind. */
@Tag("slow")
final class PrivateTrainerTest {
  private static final int SAMPLES = 6;

  private final Model model =
      OneStep.model(
          new Wiring((call, x) -> call.run("b", call.run("a", x).tanh()))
              .part("a", Recipe.linear(4), 5)
              .part("b", Recipe.linear(3), 4));
  private final NDManager manager = model.getNDManager();
  private final CapturingOptimizer optimizer = new CapturingOptimizer();
  private final List<PrivateTrainer> trainers = new ArrayList<>();

  @BeforeEach
  void initialize() {
    model.getBlock().initialize(manager, ai.djl.ndarray.types.DataType.FLOAT32, new Shape(1, 5));
  }

  @AfterEach
  void close() {
    trainers.forEach(PrivateTrainer::close);
    model.close();
  }

  // ---------------------------------------------------------------- order of calls

  @Test
  void step_beforeAnyBatch_isRefused() {
    PrivateTrainer trainer = trainer();
    assertThatThrownBy(trainer::step)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("trained before step()");
    assertNothingReleased(trainer);
  }

  @Test
  void step_untrainedBatch_isRefused() throws Exception {
    PrivateTrainer trainer = trainer();
    trainer.batches(dataset()).iterator().next();
    assertThatThrownBy(trainer::step).isInstanceOf(IllegalStateException.class);
    assertNothingReleased(trainer);
  }

  @Test
  void step_twice_isRefused() throws Exception {
    PrivateTrainer trainer = trainer();
    trainer.trainBatch(trainer.batches(dataset()).iterator().next());
    trainer.step();
    assertThatThrownBy(trainer::step).isInstanceOf(IllegalStateException.class);
    assertThat(optimizer.updates).isEqualTo(1);
    assertThat(trainer.stepsTaken()).isEqualTo(1);
  }

  @Test
  void trainBatch_twice_isRefused() throws Exception {
    PrivateTrainer trainer = trainer();
    PrivateBatch batch = trainer.batches(dataset()).iterator().next();
    trainer.trainBatch(batch);
    assertThatThrownBy(() -> trainer.trainBatch(batch))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("once");
  }

  @Test
  void backward_twice_isRefused() throws Exception {
    PrivateTrainer trainer = trainer();
    PrivateBatch batch = trainer.batches(dataset()).iterator().next();
    try (GradientCollector collector = trainer.newGradientCollector()) {
      NDList outputs = trainer.forward(batch.getData(), batch.getLabels());
      NDArray loss = trainer.getLoss().evaluate(batch.getLabels(), outputs);
      collector.backward(loss);
      assertThatThrownBy(() -> collector.backward(loss)).isInstanceOf(IllegalStateException.class);
    }
  }

  @Test
  void backward_anotherLoss_isRefused() throws Exception {
    PrivateTrainer trainer = trainer();
    PrivateBatch batch = trainer.batches(dataset()).iterator().next();
    try (GradientCollector collector = trainer.newGradientCollector()) {
      NDList outputs = trainer.forward(batch.getData(), batch.getLabels());
      NDArray loss = trainer.getLoss().evaluate(batch.getLabels(), outputs);
      assertThatThrownBy(() -> collector.backward(loss.mul(2)))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("getLoss()");
      assertThatThrownBy(() -> collector.backward(outputs.head().sum()))
          .isInstanceOf(IllegalStateException.class);
    }
    assertNothingReleased(trainer);
  }

  @Test
  void forward_outsideACollector_isRefused() throws Exception {
    PrivateTrainer trainer = trainer();
    PrivateBatch batch = trainer.batches(dataset()).iterator().next();
    assertThatThrownBy(() -> trainer.forward(batch.getData(), batch.getLabels()))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("newGradientCollector()");
  }

  @Test
  void forward_foreignData_isRefused() throws Exception {
    PrivateTrainer trainer = trainer();
    PrivateBatch batch = trainer.batches(dataset()).iterator().next();
    NDList copy = new NDList(batch.getData());
    NDList other = new NDList(OneStep.normal(manager, 1, 1, 2, 5));
    try (GradientCollector collector = trainer.newGradientCollector()) {
      assertThat(collector).isNotNull();
      for (NDList data : List.of(copy, other)) {
        assertThatThrownBy(() -> trainer.forward(data, batch.getLabels()))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("Poisson");
      }
      assertThatThrownBy(() -> trainer.forward(batch.getData(), new NDList(batch.getLabels())))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> trainer.forward(batch.getData()))
          .isInstanceOf(UnsupportedOperationException.class);
    }
  }

  @Test
  void trainBatch_ofAnotherTrainer_isRefused() throws Exception {
    PrivateTrainer trainer = trainer();
    trainer.batches(dataset()).iterator().next();
    try (Model other = Recipe.LINEAR_RANK_2.model();
        PrivateTrainer stranger =
            OneStep.engine(OneStep.everySample(SAMPLES, 1).build(), new SquaredError())
                .build()
                .attach(other, new CapturingOptimizer())) {
      PrivateBatch batch = stranger.batches(dataset()).iterator().next();
      assertThatThrownBy(() -> trainer.trainBatch(batch))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void easyTrain_ordinaryBatch_isRefused() throws Exception {
    PrivateTrainer trainer = trainer();
    trainer.batches(dataset()).iterator().next();
    for (Batch batch : dataset().getData(manager)) {
      assertThatThrownBy(() -> EasyTrain.trainBatch(trainer, batch))
          .isInstanceOf(IllegalArgumentException.class);
      break;
    }
  }

  @Test
  void batches_skippedBatch_isRefused() throws Exception {
    PrivateTrainer trainer = trainer();
    Iterator<PrivateBatch> batches = trainer.batches(dataset()).iterator();
    batches.next();
    assertThatThrownBy(batches::next)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContainingAll("trainBatch(batch)", "step()");
  }

  @Test
  void batches_missingStep_isRefused() throws Exception {
    PrivateTrainer trainer = trainer();
    Iterator<PrivateBatch> batches = trainer.batches(dataset()).iterator();
    trainer.trainBatch(batches.next());
    assertThatThrownBy(batches::next).isInstanceOf(IllegalStateException.class);
    trainer.step();
    trainer.trainBatch(batches.next());
    trainer.step();
    assertThat(optimizer.updates).isEqualTo(2);
  }

  @Test
  void anyCall_afterDetach_isRefused() throws Exception {
    PrivateTrainer trainer = trainer();
    PrivateBatch batch = trainer.batches(dataset()).iterator().next();
    trainer.detach();
    assertThatThrownBy(() -> trainer.trainBatch(batch))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("attach");
    assertThatThrownBy(trainer::step).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> trainer.batches(dataset())).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(trainer::newGradientCollector).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void close_twice_hasNoEffect() {
    PrivateTrainer trainer = trainer();
    trainer.close();
    trainer.close();
    assertThatThrownBy(trainer::step).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void iterateDataset_withoutRandomAccess_isRefused() {
    PrivateTrainer trainer = trainer();
    ai.djl.training.dataset.Dataset dataset =
        new ai.djl.training.dataset.Dataset() {
          @Override
          public Iterable<Batch> getData(NDManager parent) {
            return List.of();
          }

          @Override
          public void prepare(ai.djl.util.Progress progress) {}
        };
    assertThatThrownBy(() -> trainer.iterateDataset(dataset))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("RandomAccessDataset");
  }

  // ---------------------------------------------------------------- what is left behind

  @Test
  void batches_abandonedLogicalBatch_leavesNothingBehind() throws Exception {
    // Automatic clipping scales every sample: what is left over would show.
    float[] clean = gradientOfOneStep(trainer(engine(100).optPerformance(physical(2))));
    trainers.forEach(PrivateTrainer::close);
    PrivateTrainer trainer = trainer(engine(100).optPerformance(physical(2)));
    trainer.trainBatch(trainer.batches(dataset()).iterator().next());
    trainer.step();
    assertThat(optimizer.updates).isEqualTo(1);
    float[] next = gradientOfOneStep(trainer);
    assertThat(next).containsExactly(clean);
  }

  @Test
  void batches_abandonedAfterTwoMicroBatches_contributionStaysWithinClipNorm() throws Exception {
    PrivateTrainer trainer = trainer(engine(100).optPerformance(physical(1)));
    for (int i = 0; i < 3; i++) {
      Iterator<PrivateBatch> abandoned = trainer.batches(dataset()).iterator();
      trainer.trainBatch(abandoned.next());
      trainer.step();
      trainer.trainBatch(abandoned.next());
      trainer.step();
    }
    float[] gradient = gradientOfOneStep(trainer);
    double square = 0;
    for (float value : gradient) {
      square += (double) value * value;
    }
    assertThat(Math.sqrt(square) * SAMPLES).isLessThanOrEqualTo(SAMPLES * (1 + 1e-5));
  }

  @Test
  void batches_earlierIterator_isEndedByTheNextCall() throws Exception {
    PrivateTrainer trainer = trainer(engine(100).optPerformance(physical(3)));
    Iterator<PrivateBatch> first = trainer.batches(dataset()).iterator();
    trainer.trainBatch(first.next());
    trainer.step();
    Iterator<PrivateBatch> second = trainer.batches(dataset()).iterator();
    assertThatThrownBy(first::next)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("latest call");
    trainer.trainBatch(second.next());
    trainer.step();
    assertThatThrownBy(first::next).isInstanceOf(IllegalStateException.class);
    trainer.trainBatch(second.next());
    trainer.step();
    assertThat(trainer.stepsTaken()).isEqualTo(1);
  }

  @Test
  void batches_refusedNext_losesNoMicroBatch() throws Exception {
    float[] clean = gradientOfOneStep(trainer(engine(100).optPerformance(physical(2))));
    trainers.forEach(PrivateTrainer::close);
    PrivateTrainer trainer = trainer(engine(100).optPerformance(physical(2)));
    Iterator<PrivateBatch> batches = trainer.batches(dataset()).iterator();
    for (int i = 0; i < 3; i++) {
      PrivateBatch batch = batches.next();
      assertThatThrownBy(batches::next).isInstanceOf(IllegalStateException.class);
      trainer.trainBatch(batch);
      trainer.step();
    }
    assertThat(trainer.stepsTaken()).isEqualTo(1);
    assertThat(flat()).containsExactly(clean);
  }

  @Test
  void batches_whileAStepIsDue_isRefused() throws Exception {
    PrivateTrainer trainer = trainer();
    trainer.trainBatch(trainer.batches(dataset()).iterator().next());
    assertThatThrownBy(() -> trainer.batches(dataset()))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("step()");
    trainer.step();
    gradientOfOneStep(trainer);
    assertThat(trainer.stepsTaken()).isEqualTo(2);
  }

  @Test
  void batches_newCallAfterASkippedBatch_takesTheSameStep() throws Exception {
    PrivateTrainer trainer = trainer();
    trainer.batches(dataset()).iterator().next().close();
    gradientOfOneStep(trainer);
    assertThat(trainer.stepsTaken()).isEqualTo(1);
  }

  @Test
  void step_afterStep_sumsStartFromZero() throws Exception {
    PrivateTrainer trainer = trainer();
    float[] first = gradientOfOneStep(trainer);
    float[] second = gradientOfOneStep(trainer);
    assertThat(second).containsExactly(first);
  }

  @Test
  void trainBatch_failureInside_endsTheTrainer() throws Exception {
    // What the sum holds then is unknown.
    PrivateTrainer trainer =
        trainer(
            OneStep.engine(
                    OneStep.everySample(SAMPLES, 1).build(),
                    new PerSampleLoss() {
                      private int calls;

                      @Override
                      public NDArray evaluate(NDList labels, NDList predictions) {
                        NDArray losses = new SquaredError().evaluate(labels, predictions);
                        // Outside the graph: the backward pass fails.
                        return ++calls > 1 ? losses.stopGradient() : losses;
                      }
                    })
                .optSelfCheck(false));
    Iterator<PrivateBatch> batches = trainer.batches(dataset()).iterator();
    trainer.trainBatch(batches.next());
    trainer.step();
    assertThatThrownBy(() -> trainer.trainBatch(batches.next()))
        .isInstanceOf(EngineException.class);
    assertThatThrownBy(trainer::step)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("attach again");
    assertThat(optimizer.updates).isEqualTo(1);
  }

  // ---------------------------------------------------------------- budget

  @Test
  void batches_pastTheBudget_throwAndReleaseNothing() throws Exception {
    List<String> order = new ArrayList<>();
    PrivacyPlan plan = OneStep.everySample(SAMPLES, 1).build();
    double afterTwo = epsilonAfter(plan, 2);
    PrivacyLedger ledger =
        new InMemoryLedger(plan.newAccountant(), new PrivacyBudget(afterTwo * 1.000001, 1e-5));
    CountingNoise noise = new CountingNoise(order);
    DpOptimizer updating = updating(order);
    PrivateTrainer trainer = trainer(plan, ledger, noise, updating);
    Iterator<PrivateBatch> batches = trainer.batches(dataset()).iterator();
    for (int i = 0; i < 2; i++) {
      trainer.trainBatch(batches.next());
      trainer.step();
    }
    EpsilonBound spent = trainer.spent();
    assertThat(spent.upper().orElseThrow()).isEqualTo(afterTwo);
    float[] before = weights();
    order.clear();
    assertThatThrownBy(batches::next).isInstanceOf(PrivacyBudgetExceededException.class);
    assertThat(weights()).containsExactly(before);
    assertThat(order).isEmpty();
    assertThat(trainer.spent()).isEqualTo(spent);
    assertThat(trainer.stepsTaken()).isEqualTo(2);
    // Refused again, and not because of the order of calls.
    assertThatThrownBy(trainer.batches(dataset()).iterator()::next)
        .isInstanceOf(PrivacyBudgetExceededException.class);
    assertThat(weights()).containsExactly(before);
  }

  @Test
  void batches_pastThePlannedSteps_throws() throws Exception {
    PrivateTrainer trainer = trainer(engine(2));
    ArrayDataset dataset = dataset();
    for (PrivateBatch batch : trainer.batches(dataset)) {
      trainer.trainBatch(batch);
      trainer.step();
      batch.close();
    }
    assertThat(optimizer.updates).isEqualTo(2);
    assertThat(trainer.spent().upper().orElseThrow())
        .isLessThanOrEqualTo(trainer.plan().budget().epsilon());
    assertThatThrownBy(() -> trainer.batches(dataset))
        .isInstanceOf(PrivacyBudgetExceededException.class);
    assertThatThrownBy(() -> trainer.iterateDataset(dataset))
        .isInstanceOf(PrivacyBudgetExceededException.class);
  }

  @Test
  void step_anyBatch_isChargedBeforeItIsHandedOut() throws Exception {
    List<String> order = new ArrayList<>();
    PrivacyPlan plan = OneStep.everySample(SAMPLES, 1).build();
    PrivacyLedger recording = new RecordingLedger(plan, order);
    PrivateTrainer trainer = trainer(plan, recording, new CountingNoise(order), updating(order));
    PrivateBatch batch = trainer.batches(dataset()).iterator().next();
    assertThat(order).containsExactly("charge " + plan.stepEvent(0));
    trainer.trainBatch(batch);
    trainer.step();
    assertThat(order).containsExactly("charge " + plan.stepEvent(0), "noise", "update");
  }

  @Test
  void batches_chargeFails_nothingIsHandedOut() throws Exception {
    List<String> order = new ArrayList<>();
    PrivacyPlan plan = OneStep.everySample(SAMPLES, 1).build();
    PrivacyLedger broken =
        new RecordingLedger(plan, order) {
          @Override
          public void charge(DpEvent event) {
            throw new java.io.UncheckedIOException(new java.io.IOException("disk full"));
          }
        };
    PrivateTrainer trainer = trainer(plan, broken, new CountingNoise(order), updating(order));
    float[] before = weights();
    assertThatThrownBy(trainer.batches(dataset()).iterator()::next)
        .hasMessageContaining("disk full");
    assertThat(order).isEmpty();
    assertThat(weights()).containsExactly(before);
  }

  @ParameterizedTest(name = "micro-batches of {0}")
  @CsvSource({"1", "2", "6", "64"})
  void step_anyPhysicalBatchSize_noiseIsDrawnOncePerLogicalStep(int physical) throws Exception {
    // The model's numbers fit in one chunk, which is one stream.
    assertThat(noiseStreams(3, physical)).containsExactly(0L, 2L, 4L);
  }

  private List<Long> noiseStreams(int steps, int physical) throws Exception {
    CountingNoise noise = new CountingNoise(new ArrayList<>());
    try (PrivateTrainer trainer =
        engine(steps)
            .optPerformance(physical(physical))
            .predictable(noise, new Random(1))
            .build()
            .attach(model, optimizer)) {
      int batches = 0;
      for (PrivateBatch batch : trainer.batches(dataset())) {
        trainer.trainBatch(batch);
        trainer.step();
        batch.close();
        batches++;
      }
      assertThat(batches).isEqualTo(steps * ((SAMPLES + physical - 1) / physical));
      assertThat(trainer.stepsTaken()).isEqualTo(steps);
    }
    return noise.streams;
  }

  // ---------------------------------------------------------------- empty batches

  @Test
  void step_emptyBatch_isChargedAndReleasesNoiseAlone() throws Exception {
    PrivacyPlan plan =
        PrivacyPlan.builder()
            .setDatasetSize(SAMPLES)
            .setSampleRate(1e-9)
            .setSteps(3)
            .setNoiseMultiplier(1)
            .setDelta(1e-5)
            .setClipNorm(1)
            .build();
    for (NoiseSource noise : List.of(PredictableNoise.none(), PredictableNoise.seeded(5))) {
      optimizer.updates = 0;
      try (PrivateTrainer trainer =
          OneStep.engine(plan, new SquaredError())
              .predictable(noise, new Random(1))
              .build()
              .attach(model, optimizer)) {
        for (PrivateBatch batch : trainer.batches(dataset())) {
          assertThat(batch.isEmpty()).isTrue();
          assertThat(batch.endsStep()).isTrue();
          EasyTrain.trainBatch(trainer, batch);
          trainer.step();
          batch.close();
        }
        assertThat(optimizer.updates).isEqualTo(3);
        assertThat(trainer.stepsTaken()).isEqualTo(3);
        assertThat(trainer.spent().upper().orElseThrow()).isEqualTo(epsilonAfter(plan, 3));
        float[] gradient = flat();
        if (noise.description().startsWith("no noise")) {
          assertThat(gradient).containsOnly(0);
        } else {
          // Noise of standard deviation sigma R / B, and B is 6e-9.
          double square = 0;
          for (float value : gradient) {
            square += (double) value * value;
          }
          double deviation = Math.sqrt(square / gradient.length) * plan.expectedBatchSize();
          assertThat(deviation).isBetween(0.6, 1.4);
        }
      }
    }
  }

  @Test
  void step_anyRate_sumIsDividedByTheExpectedBatchSize() throws Exception {
    // All samples come, though 3 are expected: half of the mean would come out of a division by 6.
    float[] whole = gradientOfOneStep(trainer());
    trainers.forEach(PrivateTrainer::close);
    PrivacyPlan plan =
        PrivacyPlan.builder()
            .setDatasetSize(SAMPLES)
            .setBatchSize(3)
            .setSteps(100)
            .setNoiseMultiplier(1)
            .setDelta(1e-5)
            .setClipNorm(1)
            .build();
    PrivateTrainer trainer =
        trainer(
            OneStep.engine(plan, new SquaredError())
                .optSelfCheck(false)
                // The gaps between samples are zero: all are drawn.
                .predictable(PredictableNoise.none(), always(0)));
    float[] half = gradientOfOneStep(trainer);
    for (int j = 0; j < whole.length; j++) {
      assertThat(half[j]).isEqualTo(2 * whole[j]);
    }
  }

  private static RandomGenerator always(long value) {
    return () -> value;
  }

  // ---------------------------------------------------------------- samples that are not finite

  @ParameterizedTest(name = "{0} in the {1}")
  @CsvSource({
    "NaN, data",
    "Infinity, data",
    "-Infinity, data",
    "NaN, labels",
    "Infinity, labels",
    "1e30, labels"
  })
  void step_sampleNotFinite_contributesZeroAndIsCounted(float bad, String where) throws Exception {
    int victim = 2;
    float[] data = OneStep.normal(manager, 1, 1, SAMPLES, 5).toFloatArray();
    float[] labels = OneStep.normal(manager, 2, 1, SAMPLES, 3).toFloatArray();
    float[] withBad = where.equals("data") ? data.clone() : labels.clone();
    withBad[victim * (where.equals("data") ? 5 : 3) + 1] = bad;
    NDList badData = list(where.equals("data") ? withBad : data, 5);
    NDList badLabels = list(where.equals("data") ? labels : withBad, 3);

    try (PrivateTrainer trainer = engine(1).build().attach(model, optimizer)) {
      train(trainer, OneStep.dataset(badData, badLabels));
      // A huge label gives a huge gradient, which is finite and clipped.
      assertThat(trainer.nonFiniteSamples()).isEqualTo(bad == 1e30f ? 0 : 1);
    }
    float[] actual = flat();
    for (float value : actual) {
      assertThat(value).isFinite();
    }
    if (bad == 1e30f) {
      return;
    }
    // The same batch with another bad sample in that place: all others are the same, bit for bit.
    float[] other = data.clone();
    other[victim * 5] = Float.NEGATIVE_INFINITY;
    other[victim * 5 + 4] = Float.NaN;
    try (PrivateTrainer trainer = engine(1).build().attach(model, optimizer)) {
      train(trainer, OneStep.dataset(list(other, 5), list(labels, 3)));
    }
    assertThat(flat()).containsExactly(actual);
    // And the others alone give that sum.
    try (PrivateTrainer trainer = engine(1).build().attach(model, optimizer)) {
      train(
          trainer,
          OneStep.dataset(list(without(data, victim, 5), 5), list(without(labels, victim, 3), 3)));
      assertThat(trainer.nonFiniteSamples()).isZero();
    }
    assertThat(
            BatchOfOneOracle.relativeError(
                BatchOfOneOracle.widened(actual), BatchOfOneOracle.widened(flat())))
        .isLessThan(1e-6);
  }

  @Test
  void step_allSamplesNotFinite_sumIsZero() throws Exception {
    float[] data = new float[SAMPLES * 5];
    Arrays.fill(data, Float.NaN);
    try (PrivateTrainer trainer = engine(1).build().attach(model, optimizer)) {
      train(trainer, OneStep.dataset(list(data, 5), list(new float[SAMPLES * 3], 3)));
      assertThat(trainer.nonFiniteSamples()).isEqualTo(SAMPLES);
    }
    assertThat(flat()).containsOnly(0);
  }

  private NDList list(float[] values, int width) {
    return new NDList(manager.create(values, new Shape(values.length / width, width)));
  }

  private static float[] without(float[] values, int row, int width) {
    float[] rest = new float[values.length - width];
    System.arraycopy(values, 0, rest, 0, row * width);
    System.arraycopy(values, (row + 1) * width, rest, row * width, rest.length - row * width);
    return rest;
  }

  private static void train(PrivateTrainer trainer, ArrayDataset dataset) throws Exception {
    for (PrivateBatch batch : trainer.batches(dataset)) {
      trainer.trainBatch(batch);
      trainer.step();
      batch.close();
    }
  }

  // ---------------------------------------------------------------- DJL's own loop

  @ParameterizedTest(name = "{0} samples, batches of {1}, {2} epochs")
  @CsvSource({"6, 6, 3", "10, 4, 6", "10, 3, 3", "50, 1, 1"})
  void fit_anyPlan_takesThePlansSteps(int samples, int batchSize, int epochs) throws Exception {
    PrivacyPlan plan =
        PrivacyPlan.builder()
            .setDatasetSize(samples)
            .setBatchSize(batchSize)
            .setEpochs(epochs)
            .setNoiseMultiplier(1)
            .setDelta(1e-5)
            .setClipNorm(1)
            .build();
    Accuracy accuracy = new Accuracy();
    PrivateTrainer trainer =
        trainer(
            PrivacyEngine.builder(plan)
                .addEvaluator(accuracy)
                .optPerformance(physical(2))
                .addTrainingListeners(TrainingListener.Defaults.basic())
                .predictable(PredictableNoise.seeded(1), new Random(3)));
    Metrics metrics = new Metrics();
    trainer.setMetrics(metrics);
    ArrayDataset dataset =
        OneStep.dataset(
            new NDList(OneStep.normal(manager, 1, 1, samples, 5)),
            new NDList(OneStep.ids(manager, 2, 3, samples)));
    EasyTrain.fit(trainer, epochs, dataset, null);
    assertThat(trainer.stepsTaken()).isEqualTo(plan.steps());
    assertThat(optimizer.updates).isEqualTo(plan.steps());
    assertThat(trainer.getTrainingResult().getEpoch()).isEqualTo(epochs);
    assertThat(trainer.getTrainingResult().getTrainLoss()).isPositive().isFinite();
    assertThat(trainer.getTrainingResult().getEvaluations()).containsKey("train_Accuracy");
    assertThat(metrics.hasMetric("step")).isTrue();
    assertThat(metrics.hasMetric("train_epoch_Loss")).isTrue();
    assertThat(accuracy.getName()).isEqualTo("Accuracy");
  }

  @Test
  void fit_regressionLoss_evaluatesNoOther() throws Exception {
    // Labels that mean nothing to the softmax cross-entropy that DJL has by default.
    PrivateTrainer trainer =
        trainer(engine(3).addTrainingListeners(TrainingListener.Defaults.basic()));
    EasyTrain.fit(trainer, 3, dataset(), null);
    assertThat(trainer.stepsTaken()).isEqualTo(3);
    assertThat(trainer.getEvaluators()).hasSize(1);
    assertThat(trainer.getEvaluators().get(0)).isSameAs(trainer.getLoss());
  }

  @Test
  void fit_validationData_isEvaluatedAndNotTrained() throws Exception {
    PrivateTrainer trainer =
        trainer(engine(3).addTrainingListeners(TrainingListener.Defaults.basic()));
    ArrayDataset validation = dataset();
    EasyTrain.fit(trainer, 3, dataset(), validation);
    assertThat(trainer.stepsTaken()).isEqualTo(3);
    assertThat(trainer.getTrainingResult().getValidateLoss()).isPositive().isFinite();
    try (Batch batch = trainer.iterateDataset(validation).iterator().next()) {
      assertThatThrownBy(() -> EasyTrain.trainBatch(trainer, batch))
          .hasMessageContaining("data must be the current batch of trainer.batches(dataset)");
    }
  }

  // ---------------------------------------------------------------- what the tests stand on

  private static PerformanceOptions physical(int size) {
    return PerformanceOptions.defaults().withPhysicalBatchSize(size);
  }

  private PrivateTrainer trainer() {
    return trainer(engine(100));
  }

  private static PrivacyEngineBuilder engine(long steps) {
    PrivacyPlan plan =
        PrivacyPlan.builder()
            .setDatasetSize(SAMPLES)
            .setSampleRate(1)
            .setSteps(steps)
            .setNoiseMultiplier(1)
            .setDelta(1e-5)
            .setClipNorm(1)
            .build();
    return OneStep.engine(plan, new SquaredError()).optSelfCheck(false);
  }

  private PrivateTrainer trainer(PrivacyEngineBuilder engine) {
    PrivateTrainer trainer = engine.build().attach(model, optimizer);
    trainers.add(trainer);
    return trainer;
  }

  private ArrayDataset dataset() {
    return OneStep.dataset(
        new NDList(OneStep.normal(manager, 1, 1, SAMPLES, 5)),
        new NDList(OneStep.normal(manager, 2, 1, SAMPLES, 3)));
  }

  private float[] gradientOfOneStep(PrivateTrainer trainer) throws Exception {
    int before = optimizer.updates;
    for (PrivateBatch batch : trainer.batches(dataset())) {
      trainer.trainBatch(batch);
      trainer.step();
      batch.close();
      if (optimizer.updates > before) {
        return flat();
      }
    }
    throw new AssertionError("no step was taken");
  }

  /** The last captured gradients, one after the other. */
  private float[] flat() {
    List<float[]> parts = new ArrayList<>();
    for (Parameter parameter : model.getBlock().getParameters().values()) {
      parts.add(Objects.requireNonNull(optimizer.gradients.get(parameter)));
    }
    return joined(parts);
  }

  private float[] weights() {
    List<float[]> parts = new ArrayList<>();
    for (Parameter parameter : model.getBlock().getParameters().values()) {
      parts.add(parameter.getArray().toFloatArray());
    }
    return joined(parts);
  }

  private static float[] joined(List<float[]> parts) {
    float[] all = new float[parts.stream().mapToInt(part -> part.length).sum()];
    int at = 0;
    for (float[] part : parts) {
      System.arraycopy(part, 0, all, at, part.length);
      at += part.length;
    }
    return all;
  }

  private static double epsilonAfter(PrivacyPlan plan, long steps) {
    var accountant = plan.newAccountant();
    accountant.compose(plan.stepEvent(0), steps);
    return accountant.epsilon(plan.budget().delta()).upper().orElseThrow();
  }

  private PrivateTrainer trainer(
      PrivacyPlan plan, PrivacyLedger ledger, NoiseSource noise, DpOptimizer updating) {
    PrivateTrainer trainer =
        OneStep.engine(plan, new SquaredError())
            .optSelfCheck(false)
            .predictable(noise, new Random(1))
            .ledger(ledger)
            .build()
            .attach(model, updating);
    trainers.add(trainer);
    return trainer;
  }

  private static DpOptimizer updating(List<String> order) {
    return new DpOptimizer() {
      @Override
      public void update(PrivatizedGradient gradient) {
        order.add("update");
        for (int k = 0; k < gradient.parameters().size(); k++) {
          gradient.parameters().get(k).getArray().subi(gradient.gradients().get(k).mul(0.1f));
        }
      }

      @Override
      public void close() {}
    };
  }

  /** Pseudo-random bits, with a note of when they are asked for and of how many. */
  private static final class CountingNoise implements NoiseSource {
    private final NoiseSource source = PredictableNoise.seeded(1);
    private final List<String> order;
    private final List<Long> streams = new ArrayList<>();

    CountingNoise(List<String> order) {
      this.order = order;
    }

    @Override
    public synchronized Bits stream(long index) {
      streams.add(index);
      if (order.isEmpty() || !order.get(order.size() - 1).equals("noise")) {
        order.add("noise");
      }
      return source.stream(index);
    }

    @Override
    public String description() {
      return "counted (test)";
    }
  }

  private static class RecordingLedger implements PrivacyLedger {
    private final PrivacyLedger ledger;
    private final List<String> order;

    RecordingLedger(PrivacyPlan plan, List<String> order) {
      ledger = new InMemoryLedger(plan.newAccountant(), plan.budget());
      this.order = order;
    }

    @Override
    public PrivacyBudget budget() {
      return ledger.budget();
    }

    @Override
    public void charge(DpEvent event) {
      ledger.charge(event);
      order.add("charge " + event);
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

  private void assertNothingReleased(PrivateTrainer trainer) {
    assertThat(optimizer.updates).isZero();
    assertThat(trainer.stepsTaken()).isZero();
  }
}
