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
import ai.fastdp.accounting.EpsilonBound;
import ai.fastdp.accounting.PrivacyBudgetExceededException;
import ai.fastdp.accounting.PrivacyLedger;
import ai.fastdp.accounting.PrivacyStatement;
import ai.fastdp.clipping.Clipper;
import ai.fastdp.hook.HookedModel;
import ai.fastdp.mechanism.ClippedGradientSum;
import ai.fastdp.mechanism.NoiseMechanism;
import ai.fastdp.sampling.DeviceShare;
import ai.fastdp.sampling.PoissonBatches;
import ai.fastdp.sampling.PoissonSampler;
import ai.fastdp.sampling.PrivateBatch;
import ai.fastdp.sampling.SequenceLengths;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import org.jspecify.annotations.Nullable;

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
  private final NDManager resources;
  private final PrivacyPlan plan;
  private final TrainableParameters trainable;
  private final HookedModel hooks;
  private final BookKeeper bookKeeper;
  private final Rehearsal rehearsal;
  private final boolean selfCheck;
  private final @Nullable SequenceLengths padTo;
  private final @Nullable Replicas replicas;
  private final Clipper clipper;
  private final ReleaseUnits units;
  private final NoiseMechanism mechanism;
  private final PrivacyLedger ledger;
  private final PoissonSampler sampler;
  private final DpOptimizer optimizer;
  private final MicroBatchSize microBatchSize;
  private final @Nullable RunSaver saver;
  private final @Nullable ReportWriter report;
  private final LongRun identity;

  private ClippingState clippingState;
  private boolean closed;
  private @Nullable PoissonBatches source;
  private @Nullable Dataset privateData;
  private @Nullable PrivateBatch batch;
  private final List<DeviceShare> waiting = new ArrayList<>();
  private @Nullable DeviceShare share;
  private @Nullable GradientCollector collector;
  private BookKeeper.@Nullable Pass pass;
  private @Nullable NDArray losses;
  private @Nullable NDArray mean;
  private State state = State.IDLE;
  private @Nullable SavedRun saved;
  private long steps;
  private long stepsCharged;
  private long nonFiniteSamples;

  /** Where a logical step stands. */
  private enum State {
    /** No micro-batch has been handed out, or the last step is complete. */
    IDLE,
    /** A micro-batch has been handed out and not yet been added to the sum. */
    HANDED_OUT,
    /** The micro-batch has been added; more follow. */
    ADDED,
    /** The logical batch is complete and the update is due. */
    DUE,
    /** An error left the step in an unknown state. */
    FAILED
  }

  PrivateTrainer(PrivateTrainerParts parts, Model model, TrainingConfig config) {
    super(model, config);
    resources = parts.manager();
    plan = parts.plan();
    microBatchSize = new MicroBatchSize(parts.options());
    trainable = parts.trainable();
    hooks = parts.hooks();
    bookKeeper = parts.bookKeeper();
    replicas = parts.replicas();
    mechanism = parts.mechanism();
    ledger = parts.ledger();
    sampler = parts.sampler();
    optimizer = parts.optimizer();
    rehearsal = new Rehearsal(bookKeeper, trainable, parts.loss(), parts.selfCheck());
    selfCheck = parts.selfCheck();
    padTo = parts.padTo();
    clipper = parts.clipper();
    units = parts.units();
    clippingState = plan.scheduledClipping(0);
    parts.meanLoss().observe(this::evaluated);
    saver = parts.run().saver();
    report = parts.run().report();
    identity = parts.run();
    stepsCharged = parts.run().charged();
    saved = parts.run().saved();
    if (saved != null) {
      steps = saved.steps();
      clippingState = saved.clipping();
      if (saver != null) {
        saver.resumedAt(steps);
      }
    }
    if (report != null) {
      report.begin(identity.plan(), identity.noise().description(), steps, stepsCharged);
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
      from.restore(getModel().getBlock(), bookKeeper.kernels(), resources, optimizer);
      mechanism.skipNoise(from.noisePosition());
      from.close();
      saved = null;
    }
  }

  /**
   * The rest of the plan's steps as micro-batches.
   *
   * @param dataset the private data set
   * @return the batches, drawn as they are asked for
   * @throws IOException if the data set cannot be read
   * @throws TranslateException if the data set's pipeline fails
   * @throws PrivacyBudgetExceededException if all steps of the plan have been taken
   */
  public Iterable<PrivateBatch> batches(RandomAccessDataset dataset)
      throws IOException, TranslateException {
    return draw(dataset, stepsLeft());
  }

  /**
   * One pass over a data set in expectation: the steps up to the next whole epoch, the k-th of
   * which ends with step \(\lceil k N / B \rceil\), or with the plan.
   *
   * <p>DJL's loops ask for their validation data here as well: any data set but the one that is
   * being trained on gives its own ordinary batches, which can be evaluated and cannot be trained.
   *
   * @param dataset the private data set, a {@link RandomAccessDataset}, or another one to evaluate
   * @return the micro-batches, drawn as they are asked for
   * @throws IllegalArgumentException if the private data set has no random access
   * @throws PrivacyBudgetExceededException if all steps of the plan have been taken
   */
  @Override
  public Iterable<Batch> iterateDataset(Dataset dataset) throws IOException, TranslateException {
    if (privateData != null && privateData != dataset) {
      return super.iterateDataset(dataset);
    }
    if (!(dataset instanceof RandomAccessDataset indexed)) {
      throw new IllegalArgumentException(
          "dataset must be a RandomAccessDataset for Poisson sampling, got "
              + dataset.getClass().getName());
    }
    double epoch = Math.floor(steps * plan.expectedBatchSize() / plan.sampleSize()) + 1;
    double end = Math.ceil(epoch * plan.sampleSize() / plan.expectedBatchSize());
    Iterable<PrivateBatch> drawn = draw(indexed, Math.min((long) end - steps, stepsLeft()));
    return () -> {
      Iterator<PrivateBatch> iterator = drawn.iterator();
      return new Iterator<>() {
        @Override
        public boolean hasNext() {
          return iterator.hasNext();
        }

        @Override
        public Batch next() {
          return iterator.next();
        }
      };
    };
  }

  private Iterable<PrivateBatch> draw(RandomAccessDataset dataset, long count)
      throws IOException, TranslateException {
    requireOpen();
    if (saved != null) {
      throw new IllegalStateException(
          "model must be initialized before a run goes on, got none of the checkpoint's arrays in"
              + " place; call trainer.initialize(shapes)");
    }
    if (count <= 0) {
      throw new PrivacyBudgetExceededException(
          "steps must be <= "
              + plan.steps()
              + ", got a request for more after all of them; plan a longer run with its own budget");
    }
    if (state == State.DUE) {
      throw unfinished();
    }
    // What an abandoned logical batch has left must not enter the next one.
    replicas().clear();
    batch = null;
    waiting.clear();
    state = State.IDLE;
    PoissonBatches drawn =
        new PoissonBatches(
            dataset,
            getManager(),
            super.getExecutorService().orElse(null),
            sampler,
            bookKeeper.axes().data().number(),
            bookKeeper.axes().labels().number(),
            microBatchSize,
            steps + 1,
            count,
            plan.steps(),
            padTo,
            selfCheck);
    source = drawn;
    privateData = dataset;
    Iterator<PrivateBatch> iterator =
        new Iterator<>() {
          @Override
          public boolean hasNext() {
            return drawn.hasNext();
          }

          @Override
          public PrivateBatch next() {
            return handOut(drawn);
          }
        };
    return () -> iterator;
  }

  private PrivateBatch handOut(PoissonBatches drawn) {
    requireOpen();
    if (drawn != source) {
      throw new IllegalStateException(
          "batches must come from the latest call of batches(dataset), got one from an earlier"
              + " call; it ended when the next one began");
    }
    if (state == State.HANDED_OUT || state == State.DUE) {
      throw unfinished();
    }
    if (state == State.IDLE) {
      // Whoever changed the parameters since the last step: all devices begin with the same.
      replicas().parametersChanged();
    }
    PrivateBatch next = drawn.next();
    batch = next;
    waiting.clear();
    waiting.addAll(next.shares(getDevices()));
    state = next.isEmpty() ? State.DUE : State.HANDED_OUT;
    return next;
  }

  private IllegalStateException unfinished() {
    return new IllegalStateException(
        "every batch must be trained and stepped before the next one, got an unfinished batch of"
            + " step "
            + (steps + 1)
            + "; call trainBatch(batch) and step()");
  }

  /**
   * Adds a batch's clipped gradients to the step's sum; call {@link #step()} next.
   *
   * @param next a batch from {@link #batches}
   */
  public void trainBatch(PrivateBatch next) {
    if (next != batch) {
      throw foreignData();
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
    requireOpen();
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
    requireOpen();
    DeviceShare next = shareOf(data, labels);
    if (collector == null) {
      throw new IllegalStateException(
          "forward must run inside a gradient collector; open newGradientCollector() first, or call"
              + " evaluate(data) for inference");
    }
    prepare(data, labels);
    long begin = System.nanoTime();
    try {
      closePass();
      share = next;
      Replica replica = replicas().get(next.device());
      BookKeeper.Pass recorded =
          bookKeeper.forward(
              replicas().areSeveral() ? replica.manager() : getManager(),
              data,
              labels,
              true,
              new BookKeeper.Parameters(replica::value, false),
              (store, ownData, ownLabels) ->
                  getModel().getBlock().forward(store, ownData, ownLabels, null));
      pass = recorded;
      if (microBatchSize.isMeasured()) {
        microBatchSize.observe(recorded.bytes(), recorded.batchSize());
      }
      return recorded.outputs();
    } finally {
      addMetric("forward", begin);
    }
  }

  /** The blocks behind which the graph is cut. */
  List<String> cutPaths() {
    return bookKeeper.cutPaths();
  }

  /** The share of the batch under way that these are, which must not have been trained. */
  @SuppressWarnings("ReferenceEquality") // The very lists of the share, not equal ones.
  private DeviceShare shareOf(NDList data, NDList labels) {
    PrivateBatch current = batch;
    if (current == null) {
      throw foreignData();
    }
    for (DeviceShare candidate : current.shares(getDevices())) {
      Batch samples = candidate.batch();
      if (data == samples.getData() && labels == samples.getLabels()) {
        if (state != State.HANDED_OUT || !waiting.contains(candidate)) {
          throw new IllegalStateException(
              "a batch must be trained once, got it again; take the next one from"
                  + " batches(dataset)");
        }
        return candidate;
      }
    }
    throw foreignData();
  }

  private void prepare(NDList given, NDList givenLabels) {
    mechanism.prepare(replicas().firstSum());
    replicas().refreshIfStale();
    rehearsal.before(getManager(), onFirstDevice(given), onFirstDevice(givenLabels));
  }

  /** What is tried out is tried on the first device, with the model's own parameters. */
  private NDList onFirstDevice(NDList list) {
    return replicas().areSeveral() ? list.toDevice(replicas().get(0).device(), false) : list;
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
    requireOpen();
    if (state == State.ADDED) {
      return;
    }
    if (state != State.DUE) {
      throw new IllegalStateException(
          "a batch must be trained before step(), got none; call trainBatch(batch) first");
    }
    long begin = System.nanoTime();
    ClippedGradientSum complete = replicas().total();
    StepPlan step = stepPlan();
    try {
      ledger.charge(step.event());
    } catch (PrivacyBudgetExceededException e) {
      complete.clear();
      state = State.IDLE;
      try {
        saveRest();
      } catch (RuntimeException notSaved) {
        e.addSuppressed(notSaved);
      }
      throw e;
    }
    stepsCharged++;
    state = State.FAILED;
    ClippingState next = nextClipping(complete);
    optimizer.update(mechanism.privatize(complete, step.noiseMultiplier(), step.sensitivity()));
    replicas().parametersChanged();
    complete.clear();
    steps++;
    clippingState = next;
    state = State.IDLE;
    if (saver != null && (saver.isDue(steps) || stepsLeft() == 0)) {
      saver.save(steps, clippingState, mechanism.noisePosition());
    }
    if (report != null) {
      report.step(plan, step, steps, stepsCharged, ledger.spent(), optimizer.learningRate());
    }
    addMetric("step", begin);
  }

  /** Steps that may still be taken: those that were charged and lost may not be taken again. */
  private long stepsLeft() {
    return plan.steps() - stepsCharged;
  }

  /**
   * Saves a checkpoint now; steps write them by themselves as the engine's builder was told, and
   * {@link #detach()} and {@link #close()} save what is left.
   *
   * @throws IllegalStateException if the engine has no checkpoint file, or a step has failed
   */
  public void saveCheckpoint() {
    requireOpen();
    if (saver == null) {
      throw new IllegalStateException(
          "checkpoint must have a file, got none; call optCheckpoint(file, steps) on the engine's"
              + " builder");
    }
    saveRest();
  }

  /** Saves the completed steps that no checkpoint holds yet. */
  private void saveRest() {
    if (saver != null && state != State.FAILED && saver.hasUnsaved(steps)) {
      saver.save(steps, clippingState, mechanism.noisePosition());
    }
  }

  /** What the step under way uses: the same for all its micro-batches, its noise and its event. */
  private StepPlan stepPlan() {
    return plan.step(steps, clippingState);
  }

  /** The state of clipping after the step under way, which has been charged. */
  private ClippingState nextClipping(ClippedGradientSum complete) {
    return plan.clipping()
        .quantileQuery()
        .map(
            query ->
                plan.adaptedClipping(
                    clippingState, query, mechanism.unclippedShare(complete, query.countNoise())))
        .orElseGet(() -> plan.scheduledClipping(steps + 1));
  }

  private void accumulate(NDArray target) {
    BookKeeper.Pass recorded = pass;
    NDArray perSample = losses;
    if (recorded == null || perSample == null || target != mean) {
      throw new IllegalStateException(
          "backward must be given the value that trainer.getLoss() returned for the current batch;"
              + " to change the loss, set it on the engine's builder");
    }
    PrivateBatch current = Objects.requireNonNull(batch);
    DeviceShare own = Objects.requireNonNull(share);
    state = State.FAILED;
    rehearsal.after(perSample);
    // Evaluators and listeners see the outputs until the batch is closed.
    recorded.outputs().attach(own.batch().getManager());
    target.attach(own.batch().getManager());
    try {
      MicroBatchSum clipped =
          new MicroBatchSum(
              recorded,
              perSample,
              trainable,
              units,
              clipper,
              stepPlan().clipNorm(),
              plan.clipping().quantileQuery().isPresent(),
              replicas().get(own.device()).sum(),
              report == null ? null : report.statistics());
      recorded.backward(perSample, clipped);
      nonFiniteSamples += clipped.finish();
    } finally {
      closePass();
    }
    waiting.remove(own);
    if (!waiting.isEmpty()) {
      state = State.HANDED_OUT;
    } else {
      state = current.endsStep() ? State.DUE : State.ADDED;
    }
  }

  /**
   * The devices of the training, the model's first.
   *
   * @return the devices
   */
  @Override
  public Device[] getDevices() {
    // DJL's constructor tells listeners of the trainer before it has replicas.
    return replicas == null ? super.getDevices() : replicas.devices();
  }

  /**
   * The executor that DJL's loops may train on: none with several devices.
   *
   * @return the executor
   */
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

  private Replicas replicas() {
    return Objects.requireNonNull(replicas);
  }

  private void closePass() {
    if (pass != null) {
      pass.close();
    }
    pass = null;
    losses = null;
    mean = null;
  }

  /**
   * The plan of this run.
   *
   * @return the plan
   */
  public PrivacyPlan plan() {
    return plan;
  }

  /**
   * The number of logical steps that the weights have taken, those before a checkpoint included.
   *
   * @return the steps
   */
  public long stepsTaken() {
    return steps;
  }

  /**
   * The number of logical steps that the ledger holds. It is larger than {@link #stepsTaken()} by
   * the steps that an earlier run charged and could not save.
   *
   * @return the steps
   */
  public long stepsCharged() {
    return stepsCharged;
  }

  /**
   * The clip norm of the step under way or of the next one, and all else that clipping has learned:
   * part of what a checkpoint must keep.
   *
   * @return the state
   */
  public ClippingState clippingState() {
    return clippingState;
  }

  /**
   * The privacy spent so far at the budget's delta.
   *
   * @return the bound on epsilon
   */
  public EpsilonBound spent() {
    return ledger.spent();
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
    return PrivacyStatement.of(
        plan.newAccountant(),
        unit,
        ledger.charged(),
        plan.budget().delta(),
        plan.clippingInWords(),
        identity.noise(),
        identity.plan().hash());
  }

  /**
   * How many times a sample's gradient was not finite and contributed nothing; with several groups,
   * nothing to those where it was not. Not private: for the eyes of those who may see the data, and
   * in no checkpoint.
   *
   * @return the count over all steps since the trainer was made
   */
  public long nonFiniteSamples() {
    return nonFiniteSamples;
  }

  /**
   * Puts the model's own layers back; the trainer cannot train after it. Completed steps that no
   * checkpoint holds yet are saved first, if the run has checkpoints.
   */
  public void detach() {
    if (!closed) {
      closed = true;
      hooks.detach();
      saveRest();
    }
  }

  /** Ends the training, detaches the model and releases the trainer's memory. */
  @Override
  public void close() {
    if (getManager().isOpen()) {
      try {
        detach();
        if (report != null) {
          report.end(steps, statement("record"));
        }
      } finally {
        closePass();
        optimizer.close();
        ledger.close();
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

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("trainer must be attached, got a detached one; attach again");
    }
    if (state == State.FAILED) {
      throw new IllegalStateException(
          "the last step must have succeeded, got one that failed in between; close the trainer and"
              + " attach again with the rest of the budget");
    }
  }

  private static IllegalArgumentException foreignData() {
    return new IllegalArgumentException(
        "data must be the current batch of trainer.batches(dataset), got other data; batches that"
            + " are not drawn by Poisson sampling have no amplified guarantee");
  }

  @SuppressWarnings("ReferenceEquality") // The very outputs of the pass.
  private void evaluated(NDList predictions, NDArray perSample, NDArray value) {
    if (pass != null && predictions == pass.outputs()) {
      pass.requirePerSample(perSample);
      losses = perSample;
      mean = value;
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
