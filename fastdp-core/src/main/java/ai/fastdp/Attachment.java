/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.listener.TrainingListener;
import ai.fastdp.accounting.ledger.FileLedger;
import ai.fastdp.accounting.ledger.LedgerFiles;
import ai.fastdp.accounting.ledger.PrivacyLedger;
import ai.fastdp.accounting.statement.NoiseOrigin;
import ai.fastdp.clipping.Clipper;
import ai.fastdp.internal.check.Rehearsal;
import ai.fastdp.internal.check.StateTrial;
import ai.fastdp.internal.hook.ForwardRecorder;
import ai.fastdp.internal.hook.HookedModel;
import ai.fastdp.internal.kernel.BookKeepingKernels;
import ai.fastdp.internal.pass.BookKeeper;
import ai.fastdp.internal.pass.ClippingGroups;
import ai.fastdp.internal.pass.PassState;
import ai.fastdp.internal.pass.TrainableParameters;
import ai.fastdp.internal.run.ModelBudgets;
import ai.fastdp.internal.run.ReportWriter;
import ai.fastdp.internal.run.RunRecord;
import ai.fastdp.internal.run.RunSaver;
import ai.fastdp.internal.run.SavedRun;
import ai.fastdp.internal.run.StepCharges;
import ai.fastdp.internal.run.StepCommit;
import ai.fastdp.internal.state.ReachableState;
import ai.fastdp.internal.step.MicroBatchSize;
import ai.fastdp.internal.step.ReleaseUnits;
import ai.fastdp.internal.step.Replicas;
import ai.fastdp.internal.step.StepPasses;
import ai.fastdp.kernel.TorchScriptModule;
import ai.fastdp.loss.PerSampleLoss;
import ai.fastdp.mechanism.NoiseMechanism;
import ai.fastdp.optimizer.DpOptimizer;
import ai.fastdp.plan.PlanManifest;
import ai.fastdp.plan.PrivacyPlan;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One run's parts, put together. What a run keeps secret or counts is made here and nowhere else:
 * the noise's key, the samples that are drawn, the steps.
 *
 * <p>What was opened is closed in reverse order if the assembly fails; afterwards it belongs to the
 * trainer.
 */
final class Attachment {
  private final PrivacyPlan plan;
  private final EngineSettings settings;
  private final DpOptimizer optimizer;
  private final NDManager manager;
  private final TrainableParameters trainable;
  private final DefaultTrainingConfig config;
  private final HookedModel hooks;
  private final TorchScriptModule kernels;
  private final Replicas replicas;
  private final NoiseMechanism mechanism;
  private final RunRecord run;
  private final StepCommit commit;
  private final BatchSource source;
  private final StepPasses passes;
  private final @Nullable SavedRun saved;
  private final @Nullable ReportWriter report;

  /**
   * @param ofEngine the ledger in memory of the engine's runs
   * @param charges charges the steps of all the engine's runs
   * @param from the checkpoint to go on from; null for a new run
   * @param opened takes what is opened, to be closed if anything fails
   */
  private Attachment(
      PrivacyPlan plan,
      EngineSettings settings,
      PrivacyLedger ofEngine,
      StepCharges charges,
      Model model,
      DpOptimizer optimizer,
      @Nullable Path from,
      Deque<Runnable> opened) {
    this.plan = plan;
    this.settings = settings;
    this.optimizer = optimizer;
    trainable =
        new TrainableParameters(model.getBlock(), settings.rules(), settings.sampleBySample());
    Clipper clipper =
        new Clipper(plan.style(), plan.clipping(), plan.clipNorm(), trainable.paths());
    ReleaseUnits units = new ReleaseUnits(trainable, clipper.groups());
    MeanLoss meanLoss = new MeanLoss(settings.loss());
    config = config(meanLoss);
    Device first = config.getDevices()[0];
    settings.noise().requireUsable(first);

    // Not under the model's manager, whose arrays anybody may list: raw sums are under this one.
    manager = model.getNDManager().getEngine().newBaseManager(model.getNDManager().getDevice());
    opened.push(manager::close);
    PlanManifest manifest = PlanManifest.of(plan, settings.noise().kind());
    PrivacyLedger ledger = openLedger(ofEngine, manifest);
    opened.push(ledger::close);
    Object budget = budget(ledger);
    if (settings.noise().kind().isPrivate() && !settings.otherData()) {
      ModelBudgets.requireSame(parametersOf(model), budget);
    }
    saved = from == null ? null : SavedRun.open(from, manifest, trainable, (FileLedger) ledger);
    if (saved != null) {
      opened.push(saved::close);
    }
    RunSaver saver = saver(manifest, ledger, model);
    kernels = BookKeepingKernels.compile(manager);
    ForwardRecorder recorder =
        new ForwardRecorder(kernels, settings.rules()::needInput, settings.axes());
    hooks = HookedModel.attach(model, trainable.layers(), trainable.sampleBySample(), recorder);
    opened.push(hooks::detach);
    if (cutsPay(units) && !settings.options().wholeGraph()) {
      hooks.hookCuts(recorder);
    }
    mechanism =
        settings
            .noise()
            .newMechanism(
                kernels, manager, first, plan, settings.options().noiseAheadBytes() / Float.BYTES);
    opened.push(mechanism::close);
    BookKeeper bookKeeper = newBookKeeper(model, recorder);
    List<Device> used = settings.devices().isEmpty() ? List.of(first) : settings.devices();
    replicas = new Replicas(kernels, manager, trainable, used);
    run =
        new RunRecord(
            plan,
            manifest,
            new NoiseOrigin(settings.noise().kind(), mechanism.sourceDescription()),
            settings.noise().guarantees(),
            ledger,
            budget,
            parametersOf(model),
            charges);
    if (saved != null) {
      run.resumeAt(saved.steps(), saved.clipping());
      Objects.requireNonNull(saver, "a run that goes on has a checkpoint file")
          .resumedAt(saved.steps());
    }
    TrainingReport wanted = settings.files().report();
    report = wanted == null ? null : wanted.open();
    if (report != null) {
      opened.push(report::close);
    }
    MicroBatchSize microBatchSize =
        new MicroBatchSize(
            settings.options().physicalBatchSize(), settings.options().microBatchBytes());
    source = new BatchSource(run, settings, microBatchSize);
    ClippingGroups groups = new ClippingGroups(trainable, clipper.groups());
    passes =
        new StepPasses(
            bookKeeper,
            trainable,
            units,
            clipper,
            replicas,
            mechanism,
            new Rehearsal(bookKeeper, trainable, groups, settings.loss(), settings.selfCheck()),
            microBatchSize,
            new StateTrial(bookKeeper, trainable, groups, settings.loss(), settings.selfCheck()),
            report == null ? null : report.statistics());
    meanLoss.observe(passes::evaluated);
    commit = new StepCommit(run, replicas, mechanism, optimizer, saver, report);
  }

  /**
   * Attaches a model.
   *
   * @param ofEngine the ledger in memory of the engine's runs
   * @param charges charges the steps of all the engine's runs
   * @param from the checkpoint to go on from; null for a new run
   */
  static PrivateTrainer attach(
      PrivacyPlan plan,
      EngineSettings settings,
      PrivacyLedger ofEngine,
      StepCharges charges,
      Model model,
      DpOptimizer optimizer,
      @Nullable Path from) {
    if (model.getBlock() == null) {
      throw new IllegalArgumentException("model must have a block, got none; call setBlock first");
    }
    List<Device> devices = settings.devices();
    if (devices.size() > 1 && !model.getNDManager().getDevice().equals(devices.get(0))) {
      throw new IllegalArgumentException(
          "the first device must be the model's, "
              + model.getNDManager().getDevice()
              + ", got "
              + devices.get(0)
              + "; name the model's device first");
    }
    settings.axes().requirePaths(HookedModel.walk(model.getBlock()));
    Deque<Runnable> opened = new ArrayDeque<>();
    try {
      Attachment parts =
          new Attachment(plan, settings, ofEngine, charges, model, optimizer, from, opened);
      return new PrivateTrainer(parts, model, parts.config);
    } catch (RuntimeException e) {
      opened.forEach(Runnable::run);
      throw e;
    }
  }

  private boolean cutsPay(ReleaseUnits units) {
    return units.areSeveral()
        || trainable.layers().stream().anyMatch(layer -> settings.rules().shrink(layer.block()));
  }

  private BookKeeper newBookKeeper(Model model, ForwardRecorder recorder) {
    return new BookKeeper(
        model,
        kernels,
        recorder,
        hooks,
        settings.rules(),
        trainable,
        settings.axes(),
        settings.views(),
        settings.options().temporaryCells(),
        settings.lossScale(),
        new PassState(
            new ReachableState(
                kernels, manager, model::getBlock, settings.loss(), PerSampleLoss.class)));
  }

  /** Returns all parameters of the model, frozen ones too: another engine may have trained them. */
  private static List<Parameter> parametersOf(Model model) {
    return List.copyOf(model.getBlock().getParameters().values());
  }

  private PrivacyLedger openLedger(PrivacyLedger ofEngine, PlanManifest manifest) {
    Path file = settings.files().ledger();
    return file == null
        ? ofEngine
        : FileLedger.open(file, plan.newAccountant(), plan.budget(), manifest.hash());
  }

  /** Returns what identifies the budget: a ledger in memory itself, or the real path of a file. */
  private Object budget(PrivacyLedger ledger) {
    Path file = settings.files().ledger();
    return file == null ? ledger : LedgerFiles.realPath(file);
  }

  private @Nullable RunSaver saver(PlanManifest manifest, PrivacyLedger ledger, Model model) {
    Path checkpoint = settings.files().checkpoint();
    return checkpoint == null
        ? null
        : new RunSaver(
            checkpoint,
            settings.files().everySteps(),
            manifest,
            (FileLedger) ledger,
            model.getBlock(),
            trainable,
            optimizer);
  }

  private DefaultTrainingConfig config(MeanLoss meanLoss) {
    // DJL asks for an optimizer; the private trainer does not use it.
    DefaultTrainingConfig made =
        new DefaultTrainingConfig(meanLoss)
            .optOptimizer(new RefusingOptimizer())
            .addTrainingListeners(settings.listeners().toArray(TrainingListener[]::new));
    settings.evaluators().forEach(made::addEvaluator);
    // DJL is told of the first device alone: it would keep copies of its own on the others.
    List<Device> devices = settings.devices();
    made.optDevices(
        devices.isEmpty() ? Arrays.copyOf(made.getDevices(), 1) : new Device[] {devices.get(0)});
    if (settings.executor() != null) {
      made.optExecutorService(settings.executor());
    }
    return made;
  }

  DpOptimizer optimizer() {
    return optimizer;
  }

  NDManager manager() {
    return manager;
  }

  HookedModel hooks() {
    return hooks;
  }

  TorchScriptModule kernels() {
    return kernels;
  }

  Replicas replicas() {
    return replicas;
  }

  NoiseMechanism mechanism() {
    return mechanism;
  }

  RunRecord run() {
    return run;
  }

  StepCommit commit() {
    return commit;
  }

  BatchSource source() {
    return source;
  }

  StepPasses passes() {
    return passes;
  }

  @Nullable SavedRun saved() {
    return saved;
  }

  @Nullable ReportWriter report() {
    return report;
  }
}
