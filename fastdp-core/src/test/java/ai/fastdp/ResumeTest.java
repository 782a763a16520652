/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.fastdp.accounting.accountant.PrivacyAccountant;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.ledger.InMemoryLedger;
import ai.fastdp.accounting.ledger.PrivacyBudgetExceededException;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.internal.checkpoint.TensorFile;
import ai.fastdp.mechanism.NoiseSource;
import ai.fastdp.mechanism.PredictableNoise;
import ai.fastdp.plan.ClippingState;
import ai.fastdp.plan.NoiseDistribution;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.plan.StepSchedule;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Runs that end early and go on: what they remember, what they refuse. */
@Tag("slow")
final class ResumeTest {
  private static final int STEPS = 12;

  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  private Path directory;

  @SuppressWarnings("NullAway.Init") // before each test
  private SmallRun run;

  private final PrivacyPlan plan = SmallRun.plan(STEPS).build();

  @BeforeEach
  void files() throws Exception {
    run = new SmallRun(Files.createDirectories(directory.resolve("run")));
  }

  // ---------------------------------------------------------------- bit for bit

  @ParameterizedTest(name = "after step {0}")
  @ValueSource(ints = {1, 5, 11})
  void resume_testSeed_equalsTheUninterruptedRun(int stop) throws Exception {
    List<Integer> whole = uninterrupted();
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = run.engine(plan, 1).build().attach(model, new HeavyBall())) {
      SmallRun.train(trainer, stop);
    }
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = run.engine(plan, 1).build().resume(model, new HeavyBall())) {
      assertThat(trainer.stepsTaken()).isEqualTo(stop);
      SmallRun.train(trainer, STEPS);
      assertThat(SmallRun.bits(model)).isEqualTo(whole);
      assertThat(trainer.stepsTaken()).isEqualTo(STEPS);
      assertThat(trainer.spent().upper().orElseThrow()).isEqualTo(epsilonOf(STEPS));
    }
  }

  @Test
  void resume_batchesAndNoiseDrawnAhead_equalsTheUninterruptedRun() throws Exception {
    // What the first run has drawn ahead and not used is drawn again.
    List<Integer> whole = uninterrupted();
    ExecutorService loading = Executors.newFixedThreadPool(2);
    try (Model model = SmallRun.model()) {
      for (int stop : new int[] {4, 7, STEPS}) {
        PrivacyEngine engine =
            run.engine(plan, 2)
                .optExecutorService(loading)
                .optPerformance(
                    PerformanceOptions.defaults()
                        .withPhysicalBatchSize(3)
                        .withNoiseAheadBytes(64L << 20))
                .build();
        try (PrivateTrainer trainer =
            stop == 4
                ? engine.attach(model, new HeavyBall())
                : engine.resume(model, new HeavyBall())) {
          SmallRun.train(trainer, stop);
        }
      }
      assertThat(SmallRun.bits(model)).isEqualTo(whole);
    } finally {
      loading.shutdown();
    }
  }

  private static Stream<PrivacyPlan> changingPlans() {
    return Stream.of(
        SmallRun.plan(STEPS).optClipping(ClippingFunction.adaptiveQuantile(0.5, 2)).build(),
        SmallRun.plan(STEPS)
            .optClipping(ClippingFunction.adaptiveQuantile(0.5, 2))
            .optNoise(NoiseDistribution.DISCRETE_GAUSSIAN)
            .build(),
        SmallRun.plan(STEPS)
            .optClipNormSchedule(StepSchedule.exponential(0.9))
            .optNoiseSchedule(StepSchedule.staircase(3, 1.2))
            .build());
  }

  @ParameterizedTest
  @MethodSource("changingPlans")
  void resume_clippingAndNoiseThatChange_goOnWhereTheyWere(PrivacyPlan changing) throws Exception {
    SmallRun other = new SmallRun(Files.createDirectories(directory.resolve("whole")));
    List<Integer> whole;
    ClippingState clipping;
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = other.engine(changing, 5).build().attach(model, new HeavyBall())) {
      SmallRun.train(trainer, STEPS);
      whole = SmallRun.bits(model);
      clipping = trainer.clippingState();
    }
    trainAndClose(run.engine(changing, 1), 5);
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = run.engine(changing, 1).build().resume(model, new HeavyBall())) {
      SmallRun.train(trainer, STEPS);
      assertThat(trainer.clippingState()).isEqualTo(clipping);
      assertThat(SmallRun.bits(model)).isEqualTo(whole);
      assertThat(trainer.spent().upper().orElseThrow())
          .isLessThanOrEqualTo(changing.budget().epsilon());
    }
  }

  @Test
  void resume_modelWithoutArrays_takesThemWhenItIsInitialized() throws Exception {
    List<Integer> whole = uninterrupted();
    trainAndClose(run.engine(plan, 1), 5);
    try (Model model = SmallRun.bareModel();
        PrivateTrainer trainer = run.engine(plan, 1).build().resume(model, new HeavyBall())) {
      assertThatThrownBy(() -> SmallRun.train(trainer, 6))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("trainer.initialize");
      trainer.initialize(new Shape(1, 5));
      SmallRun.train(trainer, STEPS);
      assertThat(SmallRun.bits(model)).isEqualTo(whole);
    }
  }

  @Test
  void close_beforeTheArraysAreInPlace_leavesTheCheckpoint() throws Exception {
    trainAndClose(run.engine(plan, 1), 5);
    byte[] before = Files.readAllBytes(run.checkpoint());
    try (Model model = SmallRun.bareModel()) {
      run.engine(plan, 1).build().resume(model, new HeavyBall()).close();
    }
    assertThat(Files.readAllBytes(run.checkpoint())).isEqualTo(before);
    resumeUntil(run, 6);
  }

  @Test
  void resume_secureNoise_isFreshAlthoughTheBatchesAreTheSame() throws Exception {
    // Three runs go on from one checkpoint. Nothing of a source is in it: they differ.
    List<List<Integer>> results =
        forks(
            engine ->
                engine.predictable(
                    NoiseSource.secure(), step -> new Random(SmallRun.SEED * 31 + step)));
    for (int j = 0; j < results.get(0).size(); j++) {
      // Every weight has noise of its own; equal floats by chance are rarer than one in 1e6.
      assertThat(results.get(0).get(j)).isNotEqualTo(results.get(1).get(j));
      assertThat(results.get(0).get(j)).isNotEqualTo(results.get(2).get(j));
    }
  }

  @Test
  void resume_secureSampling_isFreshAlthoughThereIsNoNoise() throws Exception {
    // The same batch of 40 samples at rate 0.2, by chance: less than one in 1e7.
    SecureRandom random = new SecureRandom();
    List<List<Integer>> results =
        forks(engine -> engine.predictable(PredictableNoise.none(), random));
    assertThat(results).doesNotHaveDuplicates();
  }

  /** The weights of three runs, each a step further than the one checkpoint they go on from. */
  private List<List<Integer>> forks(UnaryOperator<PrivacyEngineBuilder> sources) throws Exception {
    trainAndClose(sources.apply(run.secureEngine(plan, 1)), 1);
    List<List<Integer>> results = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      SmallRun fork = run.copy(directory.resolve("fork" + i));
      try (Model model = SmallRun.model();
          PrivateTrainer trainer =
              sources.apply(fork.secureEngine(plan, 1)).build().resume(model, new HeavyBall())) {
        SmallRun.train(trainer, 2);
        results.add(SmallRun.bits(model));
      }
    }
    return results;
  }

  // ---------------------------------------------------------------- crashes

  @ParameterizedTest(name = "checkpoint every {0} steps")
  @ValueSource(longs = {1, 4})
  void resume_afterACrashAtAnyStep_lostStepsStayCharged(long every) throws Exception {
    List<List<Integer>> path = new ArrayList<>();
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = run.engine(plan, every).build().attach(model, new HeavyBall())) {
      path.add(SmallRun.bits(model));
      SmallRun.train(
          trainer,
          STEPS,
          after -> {
            path.add(SmallRun.bits(model));
            run.copy(directory.resolve("crash" + after.stepsTaken()));
          });
    }
    for (int crash = 1; crash <= STEPS; crash++) {
      SmallRun left = new SmallRun(directory.resolve("crash" + crash));
      long saved = crash == STEPS ? STEPS : crash / every * every;
      PrivacyEngine engine = left.engine(plan, every).build();
      try (Model model = SmallRun.model();
          PrivateTrainer trainer =
              saved == 0
                  ? engine.attach(model, new HeavyBall())
                  : engine.resume(model, new HeavyBall())) {
        assertThat(trainer.stepsTaken()).isEqualTo(saved);
        assertThat(trainer.stepsCharged()).isEqualTo(crash);
        assertThat(trainer.spent().upper().orElseThrow()).isEqualTo(epsilonOf(crash));
        assertThat(SmallRun.bits(model)).isEqualTo(path.get((int) saved));
        long last = STEPS - (crash - saved);
        if (crash < STEPS) {
          SmallRun.train(trainer, STEPS);
        }
        assertThat(trainer.stepsTaken()).isEqualTo(last);
        assertThat(trainer.stepsCharged()).isEqualTo(STEPS);
        assertThat(trainer.spent().upper().orElseThrow())
            .isEqualTo(epsilonOf(STEPS))
            .isLessThanOrEqualTo(plan.budget().epsilon());
        assertThat(SmallRun.bits(model)).isEqualTo(path.get((int) last));
        assertBudgetSpent(trainer);
      }
    }
  }

  @Test
  void resume_crashBetweenCheckpointAndMark_isAccepted() throws Exception {
    trainAndClose(run.engine(plan, 1), 3);
    run.dropLastRecord();
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = run.engine(plan, 1).build().resume(model, new HeavyBall())) {
      assertThat(trainer.stepsTaken()).isEqualTo(3);
    }
  }

  @Test
  void resume_unfinishedCheckpointBesideTheOldOne_takesTheOldOne() throws Exception {
    trainAndClose(run.engine(plan, 1), 3);
    Path unfinished = Path.of(run.checkpoint() + ".new");
    Files.write(unfinished, new byte[] {1, 2, 3});
    List<Integer> whole = uninterrupted();
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = run.engine(plan, 1).build().resume(model, new HeavyBall())) {
      SmallRun.train(trainer, STEPS);
      assertThat(SmallRun.bits(model)).isEqualTo(whole);
    }
    assertThat(unfinished).doesNotExist();
  }

  // ---------------------------------------------------------------- what is refused

  @Test
  void resume_olderLedger_isRefused() throws Exception {
    trainAndClose(run.engine(plan, 1), 3);
    SmallRun older = run.copy(directory.resolve("older"));
    resumeUntil(run, 5);
    // Ledger and head file of step 3, checkpoint of step 5.
    Files.copy(run.checkpoint(), older.checkpoint(), StandardCopyOption.REPLACE_EXISTING);
    assertRefused(older.engine(plan, 1), "older copy");
    Files.delete(older.ledger());
    Files.delete(Path.of(older.ledger() + ".head"));
    assertRefused(older.engine(plan, 1), "older copy");
    resumeUntil(run, 6);
  }

  @Test
  void resume_olderCheckpoint_isRefused() throws Exception {
    trainAndClose(run.engine(plan, 2), 4);
    byte[] older = Files.readAllBytes(run.checkpoint());
    resumeUntil(run, 6);
    byte[] newer = Files.readAllBytes(run.checkpoint());
    Files.write(run.checkpoint(), older);
    assertRefused(run.engine(plan, 2), "newest");
    Files.write(run.checkpoint(), newer);
    resumeUntil(run, 7);
  }

  @Test
  void resume_damagedCheckpoint_isRefused() throws Exception {
    trainAndClose(run.engine(plan, 1), 2);
    byte[] whole = Files.readAllBytes(run.checkpoint());
    Random random = new Random(5);
    for (int i = 0; i < 20; i++) {
      Files.write(run.checkpoint(), Arrays.copyOf(whole, random.nextInt(whole.length)));
      assertRefused(run.engine(plan, 1), "whole");
    }
    Files.write(run.checkpoint(), whole);
    resumeUntil(run, 3);
  }

  @Test
  void resume_otherPlan_isRefusedWithWhatDiffers() throws Exception {
    trainAndClose(run.engine(plan, 1), 2);
    PrivacyPlan other =
        PrivacyPlan.builder()
            .setDatasetSize(SmallRun.SAMPLES)
            .setBatchSize(8)
            .setSteps(STEPS)
            .setNoiseMultiplier(0.9)
            .setDelta(1e-5)
            .setClipNorm(1)
            .build();
    assertRefused(run.engine(other, 1), "plan");
    // Another ledger does not help.
    SmallRun elsewhere = run.copy(directory.resolve("elsewhere"));
    Files.delete(elsewhere.ledger());
    Files.delete(Path.of(elsewhere.ledger() + ".head"));
    assertRefused(elsewhere.engine(other, 1), "noiseMultiplier = 0.9");
    resumeUntil(run, 3);
  }

  @Test
  void resume_otherModel_isRefusedAndTheLedgerIsFreeAgain() throws Exception {
    trainAndClose(run.engine(plan, 1), 2);
    try (Model frozen = SmallRun.model()) {
      frozen.getBlock().getChildren().valueAt(0).freezeParameters(true);
      assertThatThrownBy(() -> run.engine(plan, 1).build().resume(frozen, new HeavyBall()))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("trainable parameters");
    }
    try (Model wider =
        OneStep.model(
            new Wiring((call, x) -> call.run("b", call.run("a", x).tanh()))
                .part("a", Recipe.linear(6), 5)
                .part("b", Recipe.linear(3), 6))) {
      wider.getBlock().initialize(wider.getNDManager(), DataType.FLOAT32, new Shape(1, 5));
      assertThatThrownBy(() -> run.engine(plan, 1).build().resume(wider, new HeavyBall()))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("as in the checkpoint");
    }
    resumeUntil(run, 3);
  }

  @Test
  void resume_checkpointOfAnotherVersion_isRefused() throws Exception {
    trainAndClose(run.engine(plan, 1), 1);
    Map<String, String> texts = new LinkedHashMap<>();
    try (TensorFile file = TensorFile.open(run.checkpoint())) {
      texts.putAll(file.metadata());
    }
    texts.put("version", "2");
    TensorFile.write(run.checkpoint(), texts, Map.of());
    assertRefused(run.engine(plan, 1), "format");
  }

  @Test
  void attach_overACheckpoint_isRefused() throws Exception {
    trainAndClose(run.engine(plan, 1), 1);
    byte[] before = Files.readAllBytes(run.checkpoint());
    try (Model model = SmallRun.model()) {
      assertThatThrownBy(() -> run.engine(plan, 1).build().attach(model, new HeavyBall()))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("resume");
    }
    assertThat(Files.readAllBytes(run.checkpoint())).isEqualTo(before);
  }

  @Test
  void resume_withoutCheckpoint_isRefused() throws Exception {
    try (Model model = SmallRun.model()) {
      assertThatThrownBy(
              () ->
                  PrivacyEngine.builder(plan)
                      .optLedger(run.ledger())
                      .build()
                      .resume(model, new HeavyBall()))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("optCheckpoint");
      assertThatThrownBy(() -> run.engine(plan, 1).build().resume(model, new HeavyBall()))
          .isInstanceOf(UncheckedIOException.class);
      assertThatThrownBy(
              () -> PrivacyEngine.builder(plan).optCheckpoint(run.checkpoint(), 1).build())
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("optLedger");
      assertThatThrownBy(() -> PrivacyEngine.builder(plan).optCheckpoint(run.checkpoint(), 0))
          .isInstanceOf(IllegalArgumentException.class);
      // The ledger was not left locked, and nothing was charged.
      try (PrivateTrainer trainer = run.engine(plan, 1).build().attach(model, new HeavyBall())) {
        assertThat(trainer.stepsCharged()).isZero();
      }
    }
  }

  @Test
  void attach_optimizerWithoutState_isRefusedBeforeAnythingIsTrained() {
    try (Model model = SmallRun.model()) {
      assertThatThrownBy(() -> run.engine(plan, 1).build().attach(model, new CapturingOptimizer()))
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining("state()");
    }
  }

  @Test
  void attach_ledgerInUse_isRefused() throws Exception {
    try (Model model = SmallRun.model();
        Model second = SmallRun.model();
        PrivateTrainer trainer = run.engine(plan, 1).build().attach(model, new HeavyBall())) {
      assertThatThrownBy(() -> run.engine(plan, 1).build().attach(second, new HeavyBall()))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("open only once");
      SmallRun.train(trainer, 1);
    }
  }

  // ---------------------------------------------------------------- the budget

  @Test
  void batches_afterTheLastStep_throwAndTheModelIsSaved() throws Exception {
    List<Integer> whole = uninterrupted();
    // No checkpoint is due before the end.
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = run.engine(plan, 1000).build().attach(model, new HeavyBall())) {
      SmallRun.train(trainer, STEPS);
      assertThat(run.checkpoint()).exists();
      assertBudgetSpent(trainer);
    }
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = run.engine(plan, 1000).build().resume(model, new HeavyBall())) {
      assertThat(trainer.stepsTaken()).isEqualTo(STEPS);
      assertThat(SmallRun.bits(model)).isEqualTo(whole);
      assertBudgetSpent(trainer);
    }
    // A new run on the same ledger has nothing left either.
    Files.delete(run.checkpoint());
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = run.engine(plan, 1000).build().attach(model, new HeavyBall())) {
      assertThat(trainer.stepsTaken()).isZero();
      assertBudgetSpent(trainer);
    }
  }

  @Test
  void step_pastTheBudget_throwsReleasesNothingAndTheModelCanBeSaved() throws Exception {
    int[] released = {0};
    try (Model model = SmallRun.model();
        PrivateTrainer trainer =
            PrivacyEngine.builder(plan)
                .optLoss(new SquaredError())
                .optSelfCheck(false)
                .ledger(
                    new InMemoryLedger(
                        plan.newAccountant(),
                        new PrivacyBudget(epsilonOf(3) * (1 + 1e-9), plan.budget().delta())))
                .predictable(PredictableNoise.seeded(1), new Random(1))
                .build()
                .attach(model, new HeavyBall(() -> released[0]++))) {
      SmallRun.train(trainer, 3);
      List<Integer> before = SmallRun.bits(model);
      assertThatThrownBy(() -> SmallRun.train(trainer, 4))
          .isInstanceOf(PrivacyBudgetExceededException.class);
      assertThat(released[0]).isEqualTo(3);
      assertThat(SmallRun.bits(model)).isEqualTo(before);
      model.save(directory, "at-the-end");
      assertThat(directory.resolve("at-the-end-0000.params")).exists();
    }
  }

  @Test
  void saveCheckpoint_betweenDueSteps_isWhereTheRunGoesOn() throws Exception {
    SmallRun crash;
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = run.engine(plan, 100).build().attach(model, new HeavyBall())) {
      SmallRun.train(trainer, 5);
      assertThat(run.checkpoint()).doesNotExist();
      trainer.saveCheckpoint();
      crash = run.copy(directory.resolve("crash"));
      SmallRun.train(trainer, 7);
    }
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = crash.engine(plan, 100).build().resume(model, new HeavyBall())) {
      assertThat(trainer.stepsTaken()).isEqualTo(5);
    }
    // Closing saves what no checkpoint held.
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = run.engine(plan, 100).build().resume(model, new HeavyBall())) {
      assertThat(trainer.stepsTaken()).isEqualTo(7);
    }
  }

  @Test
  void checkpoint_anyRun_holdsNoRandomSourceAndNoBatch() throws Exception {
    trainAndClose(run.secureEngine(plan, 1), 3);
    try (TensorFile file = TensorFile.open(run.checkpoint())) {
      assertThat(file.metadata().keySet())
          .containsExactly(
              "format",
              "version",
              "plan",
              "trainable",
              "steps",
              "clipNorm",
              "noiseChunks",
              "noiseSingles",
              "ledgerRecords",
              "ledgerHash",
              "optimizerKind",
              "optimizerUpdates",
              "optimizer.momentum");
      assertThat(file.names())
          .allMatch(name -> name.startsWith("model/") || name.startsWith("optimizer/velocity/"));
    }
  }

  // ---------------------------------------------------------------- the means

  private List<Integer> uninterrupted() throws Exception {
    SmallRun other = new SmallRun(Files.createDirectories(directory.resolve("uninterrupted")));
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = other.engine(plan, 1000).build().attach(model, new HeavyBall())) {
      SmallRun.train(trainer, STEPS);
      assertThat(trainer.stepsTaken()).isEqualTo(STEPS);
      return SmallRun.bits(model);
    }
  }

  private static void trainAndClose(PrivacyEngineBuilder engine, int steps) throws Exception {
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = engine.build().attach(model, new HeavyBall())) {
      SmallRun.train(trainer, steps);
    }
  }

  private void resumeUntil(SmallRun of, int steps) throws Exception {
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = of.engine(plan, 1).build().resume(model, new HeavyBall())) {
      SmallRun.train(trainer, steps);
      assertThat(trainer.stepsTaken()).isEqualTo(steps);
    }
  }

  private static void assertRefused(PrivacyEngineBuilder engine, String why) {
    try (Model model = SmallRun.model()) {
      List<Integer> before = SmallRun.bits(model);
      assertThatThrownBy(() -> engine.build().resume(model, new HeavyBall()))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining(why);
      assertThat(SmallRun.bits(model)).isEqualTo(before);
    }
  }

  private static void assertBudgetSpent(PrivateTrainer trainer) {
    assertThatThrownBy(() -> trainer.batches(SmallRun.dataset(trainer.getManager())))
        .isInstanceOf(PrivacyBudgetExceededException.class);
  }

  private double epsilonOf(long steps) {
    PrivacyAccountant accountant = plan.newAccountant();
    accountant.compose(plan.stepEvent(0), steps);
    return accountant.epsilon(plan.budget().delta()).upper().orElseThrow();
  }
}
