/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import ai.djl.training.Trainer;
import ai.djl.training.TrainingConfig;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.Dataset;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.translate.TranslateException;
import ai.fastdp.accounting.accountant.EpsilonBound;
import ai.fastdp.accounting.ledger.PrivacyBudgetExceededException;
import ai.fastdp.accounting.statement.PrivacyStatement;
import ai.fastdp.hook.HookedModel;
import ai.fastdp.kernel.TorchScriptModule;
import ai.fastdp.mechanism.NoiseMechanism;
import ai.fastdp.sampling.PoissonBatches;
import ai.fastdp.sampling.PrivateBatch;
import java.io.IOException;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A DJL trainer whose steps are differentially private.
 *
 * <p>DJL's training loops run unchanged, {@code EasyTrain.fit} among them:
 *
 * <pre>{@code
 * for (PrivateBatch batch : trainer.batches(dataset)) {
 *   EasyTrain.trainBatch(trainer, batch); // or trainer.trainBatch(batch)
 *   trainer.step();
 *   batch.close();
 * }
 * }</pre>
 *
 * <p>Batches come from {@link #batches} or {@link #iterateDataset} and from nowhere else: they are
 * drawn by Poisson sampling at the plan's rate. A logical batch larger than the physical batch size
 * comes in several micro-batches; {@link #step()} updates the weights after the last of them and
 * does nothing after the others. Before noise is released the step is charged to the ledger, and a
 * step that would exceed the budget throws and releases nothing.
 *
 * <p>Training losses, evaluators' training values and batch sizes are computed from private data
 * without noise: they are for the eyes of those who may see the data. The weights, {@link #spent()}
 * and everything computed from these are private in the sense of the plan.
 *
 * <p>With a ledger in a file and checkpoints (see {@link PrivacyEngine}) a run that ended early
 * goes on from its newest checkpoint. The steps that came after the checkpoint are lost and stay
 * charged: {@link #stepsCharged()} counts them, {@link #stepsTaken()} does not, and the run ends
 * when all steps of the plan have been charged.
 *
 * <p>With several devices a micro-batch is split among them: its shares go through the model one
 * after the other, each sample is clipped where its share is, and the clipped sums are added up
 * before the step's only draw of noise. {@link #getExecutorService()} is empty then, as DJL's loops
 * would not wait for shares that run on it; batches are loaded ahead on it all the same.
 *
 * <p>Not thread-safe.
 */
public final class PrivateTrainer extends Trainer {
  private static final Logger LOGGER = LoggerFactory.getLogger(PrivateTrainer.class);

  private final NDManager resources;
  private final TorchScriptModule kernels;
  private final RunRecord run;
  private final HookedModel hooks;
  private final @Nullable Replicas replicas;
  private final NoiseMechanism mechanism;
  private final BatchSource source;
  private final StepPasses passes;
  private final StepCommit commit;
  private final DpOptimizer optimizer;
  private final @Nullable ReportWriter report;
  private final TrainerState state = new TrainerState();

  private @Nullable SavedRun saved;
  private @Nullable LogicalStep step;
  private @Nullable GradientCollector collector;

  PrivateTrainer(Attachment parts, Model model, TrainingConfig config) {
    super(model, config);
    resources = parts.manager();
    kernels = parts.kernels();
    run = parts.run();
    hooks = parts.hooks();
    replicas = parts.replicas();
    mechanism = parts.mechanism();
    source = parts.source();
    passes = parts.passes();
    commit = parts.commit();
    optimizer = parts.optimizer();
    saved = parts.saved();
    report = parts.report();
    if (report != null) {
      report.begin(run);
    }
    if (getModel().getBlock().isInitialized()) {
      restore();
    }
  }

  /**
   * Gives the model's parameters arrays, or those of the checkpoint if the run goes on from one.
   *
   * @param shapes the shapes of a batch of data
   */
  @Override
  public void initialize(Shape... shapes) {
    super.initialize(shapes);
    restore();
  }

  private void restore() {
    SavedRun from = saved;
    if (from != null) {
      from.restore(getModel().getBlock(), kernels, resources, optimizer);
      mechanism.skipNoise(from.noisePosition());
      from.close();
      saved = null;
    }
  }

  /**
   * The rest of the plan's steps as micro-batches.
   *
   * <p>The sampler that the data set was built with is not used, nor its batch size: every sample
   * enters a logical batch with the plan's sample rate, independently of all others. Samplers of
   * DJL's are replaced silently; one of a class of the user's own is refused.
   *
   * <p>A logical batch that has been drawn is the batch of its step until the step is complete.
   * Whoever breaks off, after an exception in the loop, say, and calls this again gets the same
   * samples again; if the trainer is closed instead, the step is charged.
   *
   * @param dataset the private data set
   * @return the batches, drawn as they are asked for
   * @throws IOException if the data set cannot be read
   * @throws TranslateException if the data set's pipeline fails
   * @throws IllegalArgumentException if the data set has more than twice or less than half the
   *     samples that the plan declares, unless the engine was told {@code optAnyDataSize()}
   * @throws PrivacyBudgetExceededException if all steps of the plan have been taken
   */
  public Iterable<PrivateBatch> batches(RandomAccessDataset dataset)
      throws IOException, TranslateException {
    return draw(dataset, run.left(), batch -> batch);
  }

  /**
   * One pass over a data set in expectation: the steps up to the next whole epoch, the k-th of
   * which ends with step \(\lceil k N / B \rceil\), or with the plan.
   *
   * <p>DJL's loops ask for their validation data here as well. {@code EasyTrain.fit} trains on the
   * data set that it is given to train on, whichever object that is; {@code
   * EasyTrain.evaluateDataset} evaluates any data set, the training data included, before, between
   * and after training: it gets the data set's own ordinary batches, which can be evaluated and
   * cannot be trained. A loop of one's own that calls this method gets private batches of the first
   * data set that it asks for, and ordinary batches of any other.
   *
   * @param dataset the private data set, a {@link RandomAccessDataset}, or another one to evaluate
   * @return the micro-batches, drawn as they are asked for
   * @throws IllegalArgumentException if the private data set has no random access
   * @throws PrivacyBudgetExceededException if all steps of the plan have been taken
   */
  @Override
  public Iterable<Batch> iterateDataset(Dataset dataset) throws IOException, TranslateException {
    if (source.isEvaluated(dataset)) {
      return super.iterateDataset(dataset);
    }
    if (!(dataset instanceof RandomAccessDataset indexed)) {
      throw new IllegalArgumentException(
          "dataset must be a RandomAccessDataset for Poisson sampling, got "
              + dataset.getClass().getName());
    }
    return draw(indexed, run.leftInEpoch(), batch -> batch);
  }

  /** The batches of the next steps, as the type that a loop asks for. */
  private <B extends Batch> Iterable<B> draw(
      RandomAccessDataset dataset, long steps, Function<PrivateBatch, B> type)
      throws IOException, TranslateException {
    state.requireUsable();
    if (saved != null) {
      throw new IllegalStateException(
          "model must be initialized before a run goes on, got none of the checkpoint's arrays in"
              + " place; call trainer.initialize(shapes)");
    }
    source.requirePlanned(dataset, steps);
    // What has been added of an unfinished step is added again, from the same sample.
    currentStep().restart();
    passes.endStep();
    replicas().clear();
    PoissonBatches drawn =
        source.draw(dataset, steps, getManager(), super.getExecutorService().orElse(null));
    Iterator<B> iterator =
        new Iterator<>() {
          @Override
          public boolean hasNext() {
            return drawn.hasNext();
          }

          @Override
          public B next() {
            return type.apply(handOut(drawn));
          }
        };
    return () -> iterator;
  }

  private PrivateBatch handOut(PoissonBatches drawn) {
    state.requireUsable();
    source.requireLatest(drawn);
    LogicalStep current = currentStep();
    current.requireReadyForNext();
    if (current.isWaiting()) {
      // The caller may have changed parameters since the last step: copy them to all devices again.
      replicas().parametersChanged();
    }
    run.draw();
    current.drawn();
    PrivateBatch next = drawn.next();
    current.handOut(next, getDevices(), kernels);
    return next;
  }

  /** The step under way, or the next one. */
  private LogicalStep currentStep() {
    LogicalStep current = step;
    if (current == null) {
      current = new LogicalStep(run.taken() + 1, run.nextStep());
      step = current;
    }
    return current;
  }

  /**
   * Adds a batch's clipped gradients to the step's sum; call {@link #step()} next.
   *
   * @param next a batch from {@link #batches}
   */
  public void trainBatch(PrivateBatch next) {
    if (step == null || !step.isCurrent(next)) {
      throw LogicalStep.foreignData();
    }
    if (next.isEmpty()) {
      return;
    }
    try (GradientCollector gradients = newGradientCollector()) {
      for (Batch part : next.split(getDevices(), false)) {
        NDList predictions = forward(part.getData(), part.getLabels());
        gradients.backward(getLoss().evaluate(part.getLabels(), predictions));
      }
    }
  }

  /**
   * A collector whose {@code backward} clips and sums per-sample gradients.
   *
   * @return the collector; its {@code backward} takes what {@code getLoss()} returned
   */
  @Override
  public GradientCollector newGradientCollector() {
    state.requireUsable();
    GradientCollector gradientMode = super.newGradientCollector();
    collector = gradientMode;
    return new BookKeepingCollector(gradientMode);
  }

  /**
   * Not supported: a private pass needs the labels for its self-check.
   *
   * @param input ignored
   * @return never
   * @throws UnsupportedOperationException always
   */
  @Override
  public NDList forward(NDList input) {
    throw new UnsupportedOperationException(
        "forward(data) must be given the labels too; call forward(data, labels), or evaluate(data)"
            + " for inference");
  }

  /**
   * Runs the model on a batch of the current step, recording what its gradients need.
   *
   * @param data the data of a batch from {@link #batches} or {@link #iterateDataset}; with several
   *     devices, of one of the shares that {@link PrivateBatch#split} makes for {@link #getDevices}
   * @param labels the labels of that batch or share
   * @return the model's outputs
   * @throws IllegalArgumentException if the data come from anywhere else
   * @throws IllegalStateException if the model fails the self-check, or the call is out of order
   */
  @Override
  public NDList forward(NDList data, NDList labels) {
    state.requireUsable();
    LogicalStep current = currentStep();
    Share next = current.shareOf(data, labels);
    if (collector == null) {
      throw new IllegalStateException(
          "forward must run inside a gradient collector; open newGradientCollector() first, or call"
              + " evaluate(data) for inference");
    }
    passes.requireParametersUnmodified();
    passes.prepare(getManager(), data, labels);
    long begin = System.nanoTime();
    try {
      return passes.forward(current, next, getManager(), data, labels);
    } finally {
      addMetric("forward", begin);
    }
  }

  /**
   * Charges the step, adds the noise and updates the weights if the logical batch is complete;
   * after any other micro-batch it does nothing. A checkpoint that is due is on disk when this
   * returns.
   *
   * @throws PrivacyBudgetExceededException if the step would exceed the budget; nothing is released
   * @throws IllegalStateException if the batch has not been trained
   */
  @Override
  public void step() {
    state.requireUsable();
    LogicalStep current = currentStep();
    if (current.isBetweenBatches()) {
      return;
    }
    current.requireDue();
    passes.requireParametersUnmodified();
    passes.endStep();
    long begin = System.nanoTime();
    try {
      state.runOnce(() -> commit.complete(current));
    } catch (PrivacyBudgetExceededException e) {
      state.undone();
      commit.refuse(current, e);
      throw e;
    }
    source.forgetCompleted();
    step = null;
    addMetric("step", begin);
  }

  /**
   * Saves a checkpoint now; steps write them by themselves as the engine's builder was told, and
   * {@link #detach()} and {@link #close()} save what is left.
   *
   * @throws IllegalStateException if the engine has no checkpoint file, a step has failed, or one
   *     is under way
   */
  public void saveCheckpoint() {
    state.requireUsable();
    if (!commit.savesCheckpoints()) {
      throw new IllegalStateException(
          "checkpoint must have a file, got none; call optCheckpoint(file, steps) on the engine's"
              + " builder");
    }
    if (!currentStep().isWaiting()) {
      throw new IllegalStateException(
          "checkpoint must be saved between steps, got a step under way; call step() after its last"
              + " batch first");
    }
    commit.saveRest();
  }

  private void accumulate(NDArray target) {
    NDArray losses = passes.losses(target);
    LogicalStep current = currentStep();
    state.runOnce(() -> passes.clipAndAdd(current, target, losses));
  }

  /** {@return the devices of the training, the model's first} */
  @Override
  public Device[] getDevices() {
    // DJL's constructor tells listeners of the trainer before it has replicas.
    return replicas == null ? super.getDevices() : replicas.devices();
  }

  /** {@return the executor that DJL's loops may train on: none with several devices} */
  @Override
  public Optional<ExecutorService> getExecutorService() {
    return replicas != null && replicas.areSeveral()
        ? Optional.empty()
        : super.getExecutorService();
  }

  /**
   * Runs the model for inference, on the device of the input.
   *
   * @param input the input
   * @return the model's outputs
   */
  @Override
  public NDList evaluate(NDList input) {
    return replicas().areSeveral()
        ? getModel()
            .getBlock()
            .forward(
                replicas().valuesOn(input.head().getDevice(), input.head().getManager()),
                input,
                false,
                null)
        : super.evaluate(input);
  }

  /** Returns the paths of the blocks behind which the graph is cut. */
  List<String> cutPaths() {
    return passes.cutPaths();
  }

  private Replicas replicas() {
    return Objects.requireNonNull(replicas);
  }

  /** {@return the plan of this run} */
  public PrivacyPlan plan() {
    return run.plan();
  }

  /**
   * {@return the number of logical steps that the weights have taken, those before a checkpoint
   * included}
   */
  public long stepsTaken() {
    return run.taken();
  }

  /**
   * {@return the number of logical steps that the ledger holds}
   *
   * <p>It is larger than {@link #stepsTaken()} by the steps that an earlier run charged and could
   * not save.
   */
  public long stepsCharged() {
    return run.charged();
  }

  /**
   * {@return what clipping has learned from private answers: the clip norm of the step under way or
   * of the next one}
   *
   * <p>Checkpoints keep it.
   */
  public ClippingState clippingState() {
    return run.clipping();
  }

  /** {@return the bound on the epsilon spent so far, at the budget's delta} */
  public EpsilonBound spent() {
    return run.spent();
  }

  /**
   * What may be claimed of the run so far, made of the events that the ledger holds: earlier runs
   * on the same ledger and lost steps included. At any step, and after the trainer was closed.
   *
   * @param unit whose privacy it is, in the singular: what a sample of the data set stands for,
   *     such as {@code record} or {@code patient}
   * @return the statement, with {@link PrivacyStatement#toJson()} and {@link
   *     PrivacyStatement#toProse()}
   * @throws IllegalArgumentException if {@code unit} has quotes, backslashes or control characters
   */
  public PrivacyStatement statement(String unit) {
    return run.statement(unit);
  }

  /**
   * {@return how many times, since the trainer was made, a sample's gradient was not finite and
   * contributed nothing; with several groups, nothing to those where it was not finite}
   *
   * <p>The count is not private: it is for the eyes of those who may see the data, and no
   * checkpoint keeps it.
   */
  public long nonFiniteSamples() {
    return passes.nonFiniteSamples();
  }

  /**
   * Puts the model's own layers back; the trainer cannot train after it. Completed steps that no
   * checkpoint holds yet are saved first, if the run has checkpoints.
   *
   * <p>A step whose batch was drawn and is not complete is charged: its sample has been seen, and
   * dropping it for nothing would let batches be chosen by what is in them. That holds for a batch
   * on which the data set, the model or the loss failed, too.
   */
  public void detach() {
    if (!state.isDetached()) {
      state.detach();
      hooks.detach();
      if (step != null) {
        commit.chargeGivenUp(step);
      }
      if (!state.isFailed()) {
        commit.saveRest();
      }
    }
  }

  /** Ends the training, detaches the model and releases the trainer's memory. */
  @Override
  public void close() {
    if (getManager().isOpen()) {
      try {
        detach();
        if (report != null) {
          report.end(run.taken(), statement("record"));
        }
        if (passes.mostAreNonFinite()) {
          LOGGER.warn(
              "more than half of the samples had gradients that were not finite and contributed"
                  + " nothing: look for missing values in the data and for a diverging model (see"
                  + " nonFiniteSamples())");
        }
      } finally {
        passes.close();
        optimizer.close();
        run.close();
        mechanism.close();
        if (report != null) {
          report.close();
        }
        if (saved != null) {
          saved.close();
        }
        super.close();
        resources.close();
      }
    }
  }

  private final class BookKeepingCollector implements GradientCollector {
    private final GradientCollector gradientMode;

    BookKeepingCollector(GradientCollector gradientMode) {
      this.gradientMode = gradientMode;
    }

    @Override
    public void backward(NDArray target) {
      long begin = System.nanoTime();
      accumulate(target);
      addMetric("backward", begin);
    }

    @Override
    public void zeroGradients() {
      // Weights carry no gradients here; the step's sum is cleared by the trainer alone.
    }

    @Override
    public void close() {
      collector = null;
      gradientMode.close();
    }
  }
}
