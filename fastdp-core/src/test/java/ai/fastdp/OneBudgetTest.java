/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.fastdp.accounting.accountant.EpsilonBound;
import ai.fastdp.accounting.accountant.PrivacyAccountant;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.ledger.InMemoryLedger;
import ai.fastdp.accounting.ledger.PrivacyBudgetExceededException;
import ai.fastdp.accounting.ledger.PrivacyLedger;
import ai.fastdp.internal.run.ModelBudgets;
import ai.fastdp.mechanism.PrivatizedGradient;
import ai.fastdp.optimizer.DpOptimizer;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.sampling.PrivateBatch;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ref.WeakReference;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** All runs of an engine spend one budget, and no model gets a second one unawares. */
@Tag("slow")
final class OneBudgetTest {
  private static final long STEPS = 5;

  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  private Path directory;

  private static PrivacyEngineBuilder builder() {
    return PrivacyEngine.builder(SmallRun.plan(STEPS).build())
        .optLoss(new SquaredError())
        .optSelfCheck(false);
  }

  private static double epsilonOf(long steps) {
    PrivacyPlan plan = SmallRun.plan(STEPS).build();
    PrivacyAccountant accountant = plan.newAccountant();
    accountant.compose(plan.stepEvent(0), steps);
    return accountant.epsilon(plan.budget().delta()).upper().orElseThrow();
  }

  private static double spent(PrivateTrainer trainer) {
    return trainer.spent().upper().orElseThrow();
  }

  /** Trains all that is left. */
  private static void trainOut(PrivateTrainer trainer) throws Exception {
    SmallRun.train(trainer, Long.MAX_VALUE);
  }

  private static void trainAndClose(PrivacyEngine engine, Model model, long steps)
      throws Exception {
    try (PrivateTrainer trainer = engine.attach(model, new HeavyBall())) {
      SmallRun.train(trainer, steps);
    }
  }

  @Test
  void attach_againAfterClose_goesOnWithTheRestOfTheBudget() throws Exception {
    PrivacyEngine engine = builder().build();
    try (Model model = SmallRun.model()) {
      trainAndClose(engine, model, 3);
      try (PrivateTrainer trainer = engine.attach(model, new HeavyBall())) {
        assertThat(trainer.stepsCharged()).isEqualTo(3);
        assertThat(trainer.stepsTaken()).isZero();
        assertThat(spent(trainer)).isEqualTo(epsilonOf(3));
        trainOut(trainer);
        assertThat(trainer.stepsTaken()).isEqualTo(2);
        assertThat(spent(trainer)).isEqualTo(epsilonOf(5));
        assertThat(trainer.statement("record").steps()).isEqualTo(5);
        assertThatThrownBy(() -> trainer.batches(SmallRun.dataset(trainer.getManager())))
            .isInstanceOf(PrivacyBudgetExceededException.class);
      }
      try (PrivateTrainer trainer = engine.attach(model, new HeavyBall())) {
        assertThatThrownBy(() -> trainOut(trainer))
            .isInstanceOf(PrivacyBudgetExceededException.class);
        assertThat(trainer.stepsTaken()).isZero();
      }
    }
  }

  @Test
  void attach_twoTrainersAtOnce_spendOneBudget() throws Exception {
    PrivacyEngine engine = builder().build();
    CapturingOptimizer updated = new CapturingOptimizer();
    try (Model one = SmallRun.model();
        Model other = SmallRun.model();
        PrivateTrainer left = engine.attach(one, new HeavyBall());
        PrivateTrainer right = engine.attach(other, updated)) {
      Iterator<PrivateBatch> batches =
          right.batches(SmallRun.dataset(right.getManager())).iterator();
      trainStep(right, batches);
      SmallRun.train(left, 4);
      assertThat(spent(right)).isEqualTo(epsilonOf(5));
      assertThatThrownBy(() -> trainStep(right, batches))
          .isInstanceOf(PrivacyBudgetExceededException.class);
      assertThat(updated.updates).isEqualTo(1);
      assertThat(right.stepsCharged()).isEqualTo(5);
    }
  }

  @Test
  void batches_trainersLeftOpenWithADrawnBatch_countAsStepsOfThePlan() throws Exception {
    PrivacyEngine engine = builder().build();
    List<Model> models = new ArrayList<>();
    List<PrivateTrainer> open = new ArrayList<>();
    try {
      for (int i = 0; i <= STEPS; i++) {
        models.add(SmallRun.model());
        open.add(engine.attach(models.get(i), new CapturingOptimizer()));
      }
      PrivateTrainer last = open.get((int) STEPS);
      Iterator<PrivateBatch> batches = last.batches(SmallRun.dataset(manager(last))).iterator();
      for (PrivateTrainer trainer : open.subList(0, (int) STEPS)) {
        trainer.batches(SmallRun.dataset(manager(trainer))).iterator().next();
      }
      assertThatThrownBy(batches::next).isInstanceOf(PrivacyBudgetExceededException.class);
      assertThatThrownBy(() -> last.batches(SmallRun.dataset(manager(last))))
          .isInstanceOf(PrivacyBudgetExceededException.class);
    } finally {
      open.forEach(PrivateTrainer::close);
      models.forEach(Model::close);
    }
    assertThat(spent(open.get(0))).isEqualTo(epsilonOf(STEPS));
  }

  private static NDManager manager(PrivateTrainer trainer) {
    return trainer.getManager();
  }

  private static void trainStep(PrivateTrainer trainer, Iterator<PrivateBatch> batches) {
    PrivateBatch batch;
    do {
      batch = batches.next();
      trainer.trainBatch(batch);
      trainer.step();
    } while (!batch.endsStep());
  }

  @Test
  void step_failedUpdate_adviceOfTheMessageKeepsTheBudget() throws Exception {
    PrivacyEngine engine = builder().build();
    try (Model model = SmallRun.model()) {
      try (PrivateTrainer trainer = engine.attach(model, failingAt(2))) {
        assertThatThrownBy(() -> trainOut(trainer)).hasMessage("out of memory (test)");
        assertThatThrownBy(() -> trainOut(trainer))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("attach again by the same engine")
            .hasMessageContaining("rest of the budget")
            .hasRootCauseMessage("out of memory (test)");
        assertThat(trainer.stepsCharged()).isEqualTo(2);
      }
      try (PrivateTrainer trainer = engine.attach(model, new HeavyBall())) {
        trainOut(trainer);
        assertThat(trainer.stepsTaken()).isEqualTo(3);
        assertThat(spent(trainer)).isEqualTo(epsilonOf(5));
      }
    }
  }

  private static DpOptimizer failingAt(int update) {
    return new DpOptimizer() {
      private int updates;

      @Override
      public void update(PrivatizedGradient gradient) {
        if (++updates == update) {
          throw new IllegalStateException("out of memory (test)");
        }
      }

      @Override
      public void close() {}
    };
  }

  @Test
  void step_ledgerFails_nextCallSaysWhatHappened() throws Exception {
    CapturingOptimizer updated = new CapturingOptimizer();
    PrivacyEngine engine = builder().ledger(new FullDisk()).build();
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = engine.attach(model, updated)) {
      assertThatThrownBy(() -> trainOut(trainer)).isInstanceOf(UncheckedIOException.class);
      assertThatThrownBy(() -> trainOut(trainer))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("the last step must have succeeded")
          .hasRootCauseMessage("no space left (test)");
      assertThat(updated.updates).isZero();
    }
  }

  @Test
  void attach_byAnotherEngine_isRefusedUnlessDataAreOthers() throws Exception {
    try (Model model = SmallRun.model()) {
      trainAndClose(builder().build(), model, 1);
      for (PrivacyEngine other :
          List.of(builder().build(), builder().optLedger(directory.resolve("other")).build())) {
        assertThatThrownBy(() -> other.attach(model, new HeavyBall()))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("must be trained on one budget")
            .hasMessageContaining("optOtherData()");
      }
      trainAndClose(builder().optOtherData().build(), model, 1);
    }
  }

  @Test
  void attach_byAnotherEngine_sharedLayerIsEnough() throws Exception {
    var shared = Recipe.linear(4);
    try (Model first = OneStep.model(shared)) {
      shared.initialize(
          first.getNDManager(),
          ai.djl.ndarray.types.DataType.FLOAT32,
          new ai.djl.ndarray.types.Shape(1, 5));
      PrivacyEngine engine = PrivacyEngine.builder(SmallRun.plan(STEPS).build()).build();
      try (PrivateTrainer trainer = engine.attach(first, new HeavyBall())) {
        for (PrivateBatch batch :
            trainer.batches(
                OneStep.dataset(
                    new ai.djl.ndarray.NDList(
                        OneStep.normal(first.getNDManager(), 1, 1, SmallRun.SAMPLES, 5)),
                    new ai.djl.ndarray.NDList(
                        OneStep.ids(first.getNDManager(), 2, 4, SmallRun.SAMPLES))))) {
          trainer.trainBatch(batch);
          trainer.step();
        }
      }
      try (Model second =
          OneStep.model(new Wiring((call, x) -> call.run("a", x)).part("a", shared, 5))) {
        assertThatThrownBy(() -> builder().build().attach(second, new HeavyBall()))
            .hasMessageContaining("must be trained on one budget");
      }
    }
  }

  @Test
  void attach_byAnotherEngine_otherModelOrUntrainedOrSameLedger_isAllowed() throws Exception {
    Path ledger = directory.resolve("ledger");
    try (Model model = SmallRun.model();
        Model other = SmallRun.model()) {
      trainAndClose(builder().build(), other, 0);
      trainAndClose(builder().build(), other, 1);
      trainAndClose(builder().optLedger(ledger).build(), model, 1);
      trainAndClose(
          builder().optLedger(directory.resolve("x/../ledger").normalize()).build(), model, 1);
      try (PrivateTrainer trainer =
          builder().optLedger(ledger).build().attach(model, new HeavyBall())) {
        assertThat(trainer.stepsCharged()).isEqualTo(2);
      }
    }
  }

  @Test
  void attach_afterANonPrivateRun_isRefusedToAPrivateOne() throws Exception {
    for (NonPrivate mode : List.of(NonPrivate.noiseless(1), NonPrivate.seeded(1))) {
      try (Model model = SmallRun.model()) {
        trainAndClose(builder().optNonPrivate(mode).build(), model, 2);
        assertThatThrownBy(() -> builder().build().attach(model, new HeavyBall()))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContainingAll("a run without a guarantee", "optOtherData()");
        trainAndClose(builder().optNonPrivate(mode).build(), model, 1);
        trainAndClose(builder().optOtherData().build(), model, 1);
      }
    }
  }

  @Test
  void attach_frozenPartThatAnotherEngineHasTrained_isRefused() throws Exception {
    try (Model model = SmallRun.model()) {
      Block trunk = model.getBlock().getChildren().valueAt(0);
      Block head = model.getBlock().getChildren().valueAt(1);
      head.freezeParameters(true);
      trainAndClose(builder().build(), model, 2);
      head.freezeParameters(false);
      trunk.freezeParameters(true);
      assertThatThrownBy(() -> builder().build().attach(model, new HeavyBall()))
          .hasMessageContaining("must be trained on one budget");
    }
  }

  @Test
  void resume_thenAnotherEngineBeforeAStep_isRefused() throws Exception {
    SmallRun run = new SmallRun(directory);
    PrivacyPlan plan = SmallRun.plan(STEPS).build();
    try (Model model = SmallRun.model()) {
      trainAndClose(run.secureEngine(plan, 1).build(), model, 2);
    }
    try (Model model = SmallRun.model()) {
      run.secureEngine(plan, 1).build().resume(model, new HeavyBall()).close();
      assertThatThrownBy(() -> builder().build().attach(model, new HeavyBall()))
          .hasMessageContaining("must be trained on one budget");
    }
  }

  @Test
  void spent_parametersOfAClosedModel_areNotKept() throws Exception {
    Object budget = new Object();
    WeakReference<Parameter> parameter = spentAndDropped(budget);
    for (int i = 0; i < 100 && parameter.get() != null; i++) {
      System.gc();
      Thread.sleep(20);
    }
    assertThat(parameter.get()).isNull();
  }

  private static WeakReference<Parameter> spentAndDropped(Object budget) {
    Parameter parameter = Parameter.builder().setName("w").setType(Parameter.Type.WEIGHT).build();
    ModelBudgets.spent(List.of(parameter), budget);
    ModelBudgets.requireSame(List.of(parameter), budget);
    assertThatThrownBy(() -> ModelBudgets.requireSame(List.of(parameter), new Object()))
        .isInstanceOf(IllegalStateException.class);
    return new WeakReference<>(parameter);
  }

  /** A ledger that cannot write. */
  private static final class FullDisk implements PrivacyLedger {
    private final PrivacyLedger ledger =
        new InMemoryLedger(
            SmallRun.plan(STEPS).build().newAccountant(), SmallRun.plan(STEPS).build().budget());

    @Override
    public PrivacyBudget budget() {
      return ledger.budget();
    }

    @Override
    public void charge(DpEvent event) {
      throw new UncheckedIOException(
          "cannot write the ledger", new IOException("no space left (test)"));
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
    public void close() {}
  }
}
