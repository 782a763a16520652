/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.Batch;
import ai.fastdp.accounting.ledger.PrivacyBudgetExceededException;
import ai.fastdp.loss.PerSampleLoss;
import ai.fastdp.mechanism.PrivatizedGradient;
import ai.fastdp.optimizer.DpOptimizer;
import ai.fastdp.sampling.PrivateBatch;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Which samples a step is trained on does not depend on what is in them. */
@Tag("slow")
final class AbandonedBatchTest {
  private static final int SAMPLES = SmallRun.SAMPLES;

  private final Model model =
      OneStep.model(
          new Wiring(
                  (call, x) -> {
                    if (call.training()) {
                      PlannedFailures.pass();
                    }
                    return call.run("a", x);
                  })
              .part("a", Recipe.linear(3), 5));

  AbandonedBatchTest() {
    PlannedFailures.ofPasses(0);
    PlannedFailures.ofLosses(0);
    model.getBlock().initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 5));
  }

  private static PrivacyEngineBuilder builder(long steps, int physical) {
    return PrivacyEngine.builder(SmallRun.plan(steps).build())
        .optLoss(new SquaredError())
        .optSelfCheck(false)
        .optPerformance(PerformanceOptions.defaults().withPhysicalBatchSize(physical));
  }

  /** The next physical batch of a loop that begins now. */
  private static PrivateBatch first(PrivateTrainer trainer, IndexedRows data) throws Exception {
    return trainer.batches(data).iterator().next();
  }

  @ParameterizedTest(name = "physical batches of {0}, loaded ahead: {1}")
  @CsvSource({"100, false", "3, false", "100, true", "3, true"})
  void batches_calledAnew_handOutTheSameSamples(int physical, boolean ahead) throws Exception {
    ExecutorService executor = Executors.newSingleThreadExecutor();
    PrivacyEngineBuilder engine = builder(6, physical);
    if (ahead) {
      engine.optExecutorService(executor);
    }
    try (PrivateTrainer trainer = engine.build().attach(model, new CapturingOptimizer())) {
      for (int step = 1; step <= 3; step++) {
        List<Long> drawn = IndexedRows.samples(first(trainer, IndexedRows.of(SAMPLES)));
        for (int i = 0; i < 5; i++) {
          assertThat(IndexedRows.samples(first(trainer, IndexedRows.of(SAMPLES)))).isEqualTo(drawn);
        }
        assertThat(trainStep(trainer).subList(0, drawn.size())).isEqualTo(drawn);
      }
      assertThat(trainer.stepsCharged()).isEqualTo(3);
    } finally {
      executor.shutdown();
      model.close();
    }
  }

  /** Trains one step from the beginning and returns its samples. */
  private static List<Long> trainStep(PrivateTrainer trainer) throws Exception {
    List<Long> trained = new ArrayList<>();
    Iterator<PrivateBatch> batches = trainer.batches(IndexedRows.of(SAMPLES)).iterator();
    PrivateBatch batch;
    do {
      batch = batches.next();
      trained.addAll(IndexedRows.samples(batch));
      trainer.trainBatch(batch);
      trainer.step();
      batch.close();
    } while (!batch.endsStep());
    return trained;
  }

  @Test
  void batches_loadedAheadAndGivenUp_laterStepsKeepTheirSamples() throws Exception {
    ExecutorService executor = Executors.newSingleThreadExecutor();
    IndexedRows before = IndexedRows.of(SAMPLES);
    List<Long> trained = new ArrayList<>();
    try (PrivateTrainer trainer =
        builder(8, 100)
            .optExecutorService(executor)
            .build()
            .attach(model, new CapturingOptimizer())) {
      first(trainer, before);
      executor.submit(() -> {}).get();
      for (int step = 0; step < 8; step++) {
        trained.addAll(trainStep(trainer));
      }
    } finally {
      executor.shutdown();
      model.close();
    }
    assertThat(before.asked()).isNotEmpty();
    assertThat(trained.subList(0, before.asked().size())).isEqualTo(before.asked());
  }

  @Test
  void batches_chosenBySize_trainWhatWasDrawn() throws Exception {
    try (PrivateTrainer trainer = builder(6, 100).build().attach(model, new CapturingOptimizer())) {
      for (int step = 1; step <= 6; step++) {
        List<Long> drawn = IndexedRows.samples(first(trainer, IndexedRows.of(SAMPLES)));
        for (int i = 0; i < 20; i++) {
          PrivateBatch again = first(trainer, IndexedRows.of(SAMPLES));
          assertThat(again.getSize()).isEqualTo(drawn.size());
          again.close();
        }
        assertThat(trainStep(trainer)).isEqualTo(drawn);
      }
    }
    model.close();
  }

  @Test
  void batches_dataSetOfAnotherSizeForAnUnfinishedStep_isRefused() throws Exception {
    try (PrivateTrainer trainer = builder(6, 100).build().attach(model, new CapturingOptimizer())) {
      first(trainer, IndexedRows.of(SAMPLES));
      assertThatThrownBy(() -> first(trainer, IndexedRows.of(SAMPLES - 1)))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("from which the unfinished step's batch was drawn");
    }
    model.close();
  }

  /** Where a loop fails. */
  private enum Failing {
    FORWARD,
    LOSS
  }

  @ParameterizedTest
  @EnumSource(Failing.class)
  void loop_exceptionCaught_sameSamplesAreTrainedInTheEnd(Failing where) throws Exception {
    PerSampleLoss loss =
        (labels, predictions) -> {
          PlannedFailures.loss();
          return new SquaredError().evaluate(labels, predictions);
        };
    try (PrivateTrainer trainer =
        builder(4, 3).optLoss(loss).build().attach(model, new CapturingOptimizer())) {
      // Whatever is tried out before the first batch is over.
      trainStep(trainer);
      for (int step = 2; step <= 4; step++) {
        List<Long> drawn = IndexedRows.samples(first(trainer, IndexedRows.of(SAMPLES)));
        if (!drawn.isEmpty()) {
          if (where == Failing.LOSS) {
            PlannedFailures.ofLosses(1);
          } else {
            PlannedFailures.ofPasses(1);
          }
          assertThatThrownBy(() -> trainStep(trainer)).hasMessage("out of memory (test)");
        }
        assertThat(trainStep(trainer).subList(0, drawn.size())).isEqualTo(drawn);
      }
      assertThat(trainer.stepsCharged()).isEqualTo(4);
    }
    model.close();
  }

  @Test
  void loop_exceptionInTheOptimizer_stepIsChargedAndTrainerEnds() throws Exception {
    DpOptimizer failing =
        new DpOptimizer() {
          @Override
          public void update(PrivatizedGradient gradient) {
            throw new IllegalStateException("out of memory (test)");
          }

          @Override
          public void close() {}
        };
    PrivacyEngine engine = builder(4, 100).build();
    try (PrivateTrainer trainer = engine.attach(model, failing)) {
      assertThatThrownBy(() -> trainStep(trainer)).hasMessage("out of memory (test)");
      assertThatThrownBy(() -> trainStep(trainer)).isInstanceOf(IllegalStateException.class);
    }
    assertCharged(engine, 1);
    model.close();
  }

  private void assertCharged(PrivacyEngine engine, long steps) {
    try (PrivateTrainer next = engine.attach(model, new CapturingOptimizer())) {
      assertThat(next.stepsCharged()).isEqualTo(steps);
    }
  }

  @ParameterizedTest(name = "closed: {0}, trained: {1}")
  @CsvSource({"true, false", "true, true", "false, false", "false, true"})
  void close_drawnBatch_isCharged(boolean closed, boolean trained) throws Exception {
    PrivacyEngine engine = builder(4, 3).build();
    PrivateTrainer trainer = engine.attach(model, new CapturingOptimizer());
    PrivateBatch batch = first(trainer, IndexedRows.of(SAMPLES));
    if (trained) {
      trainer.trainBatch(batch);
    }
    if (!closed) {
      trainer.detach();
      assertThat(trainer.stepsCharged()).isEqualTo(1);
      trainer.detach();
    }
    trainer.close();
    trainer.close();
    assertThat(trainer.statement("record").steps()).isEqualTo(1);
    assertThat(trainer.stepsTaken()).isZero();
    assertCharged(engine, 1);
    model.close();
  }

  @Test
  void close_nothingDrawn_isNotCharged() throws Exception {
    PrivacyEngine engine = builder(4, 3).build();
    try (PrivateTrainer trainer = engine.attach(model, new CapturingOptimizer())) {
      trainer.batches(IndexedRows.of(SAMPLES));
    }
    assertCharged(engine, 0);
    try (PrivateTrainer trainer = engine.attach(model, new CapturingOptimizer())) {
      trainStep(trainer);
    }
    assertCharged(engine, 1);
    model.close();
  }

  @Test
  void close_drawnBatchAndNothingLeft_isQuiet() throws Exception {
    PrivacyEngine engine = builder(2, 100).build();
    PrivateTrainer slow = engine.attach(model, new CapturingOptimizer());
    try (Model other = SmallRun.model();
        PrivateTrainer fast = engine.attach(other, new CapturingOptimizer())) {
      first(slow, IndexedRows.of(SAMPLES));
      SmallRun.train(fast, 2);
      slow.close();
      assertThat(fast.stepsCharged()).isEqualTo(2);
    }
    model.close();
  }

  /** A loss that mixes samples. */
  private static NDArray mixing(NDList labels, NDList predictions) {
    NDArray losses = new SquaredError().evaluate(labels, predictions);
    return losses.mul(losses.sum());
  }

  @Test
  void close_modelRefusedBeforeTheFirstStep_isCharged() throws Exception {
    PrivacyEngine engine =
        builder(4, 100).optLoss(AbandonedBatchTest::mixing).optSelfCheck(true).build();
    for (int i = 0; i < 3; i++) {
      try (PrivateTrainer trainer = engine.attach(model, new CapturingOptimizer())) {
        PrivateBatch batch = first(trainer, IndexedRows.of(SAMPLES));
        assertThatThrownBy(() -> trainer.trainBatch(batch))
            .isInstanceOf(IllegalStateException.class);
      }
    }
    assertCharged(engine, 3);
    model.close();
  }

  @Test
  void close_modelFailsOnASampleInTheCheck_everyDrawIsCharged() throws Exception {
    // The model's exception in the check depends on what is in the batch, as out of memory does.
    PrivacyEngine engine = builder(4, 100).optSelfCheck(true).build();
    for (int i = 0; i < 3; i++) {
      PlannedFailures.ofPasses(1);
      try (PrivateTrainer trainer = engine.attach(model, new CapturingOptimizer())) {
        PrivateBatch batch = first(trainer, IndexedRows.of(SAMPLES + i));
        assertThatThrownBy(() -> trainer.trainBatch(batch)).hasMessage("out of memory (test)");
      }
    }
    PlannedFailures.ofPasses(0);
    try (PrivateTrainer trainer = engine.attach(model, new CapturingOptimizer())) {
      trainStep(trainer);
      assertThatThrownBy(() -> trainStep(trainer))
          .isInstanceOf(PrivacyBudgetExceededException.class);
    }
    assertCharged(engine, 4);
    model.close();
  }

  @Test
  void close_failedBatchesOnOneLedgerFile_areCharged(@TempDir Path directory) throws Exception {
    for (int i = 0; i < 3; i++) {
      PlannedFailures.ofPasses(1);
      PrivacyEngine engine =
          builder(4, 100).optSelfCheck(true).optLedger(directory.resolve("ledger")).build();
      try (PrivateTrainer trainer = engine.attach(model, new CapturingOptimizer())) {
        assertThat(trainer.stepsCharged()).isEqualTo(i);
        PrivateBatch batch = first(trainer, IndexedRows.of(SAMPLES));
        assertThatThrownBy(() -> trainer.trainBatch(batch)).hasMessage("out of memory (test)");
      }
    }
    PlannedFailures.ofPasses(0);
    model.close();
  }

  @Test
  void killed_inTheMiddleOfAStep_stepIsCharged(@TempDir Path directory) throws Exception {
    Path left = Files.createDirectory(directory.resolve("left"));
    PrivacyEngine engine = builder(4, 3).optLedger(directory.resolve("ledger")).build();
    try (PrivateTrainer trainer = engine.attach(model, new CapturingOptimizer())) {
      trainStep(trainer);
      first(trainer, IndexedRows.of(SAMPLES));
      for (String name : List.of("ledger", "ledger.head")) {
        Files.copy(directory.resolve(name), left.resolve(name));
      }
    }
    PrivacyEngine after = builder(4, 3).optLedger(left.resolve("ledger")).optOtherData().build();
    try (PrivateTrainer trainer = after.attach(model, new CapturingOptimizer())) {
      assertThat(trainer.stepsCharged()).isEqualTo(2);
    }
    model.close();
  }

  @Test
  void close_dataSetFailsOnASample_isCharged() throws Exception {
    PrivacyEngine engine = builder(4, 100).build();
    for (int i = 0; i < 2; i++) {
      IndexedRows failing =
          IndexedRows.of(
              SAMPLES,
              index -> {
                throw new IllegalStateException("unreadable (test)");
              });
      try (PrivateTrainer trainer = engine.attach(model, new CapturingOptimizer())) {
        assertThatThrownBy(() -> first(trainer, failing));
      }
    }
    assertCharged(engine, 2);
    model.close();
  }

  @Test
  void iterateDataset_twoEpochsWithABreak_takesAllStepsOfWhatWasDrawn() throws Exception {
    IndexedRows data = IndexedRows.of(SAMPLES);
    try (PrivateTrainer trainer =
        builder(10, 100).build().attach(model, new CapturingOptimizer())) {
      for (int epoch = 1; epoch <= 2; epoch++) {
        List<Long> drawn =
            IndexedRows.samples((PrivateBatch) trainer.iterateDataset(data).iterator().next());
        List<List<Long>> trained = new ArrayList<>();
        for (Batch batch : trainer.iterateDataset(data)) {
          trained.add(IndexedRows.samples((PrivateBatch) batch));
          trainer.trainBatch((PrivateBatch) batch);
          trainer.step();
          batch.close();
        }
        assertThat(trained).hasSize(5);
        assertThat(trained.get(0)).isEqualTo(drawn);
        assertThat(trainer.stepsTaken()).isEqualTo(5L * epoch);
      }
      assertThat(trainer.stepsCharged()).isEqualTo(10);
    }
    model.close();
  }
}
