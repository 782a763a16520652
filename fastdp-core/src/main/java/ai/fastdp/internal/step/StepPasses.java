/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.step;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.fastdp.clipping.Clipper;
import ai.fastdp.internal.check.Rehearsal;
import ai.fastdp.internal.check.StateTrial;
import ai.fastdp.internal.pass.BookKeeper;
import ai.fastdp.internal.pass.ParameterWatch;
import ai.fastdp.internal.pass.TrainableParameters;
import ai.fastdp.mechanism.NoiseMechanism;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Runs the passes of a step's shares: forward with everything recorded, then backward with each
 * sample clipped and added to the step's sum.
 *
 * <p>DJL's loops call forward, loss and backward one after the other; at most one pass is in flight
 * in between.
 */
public final class StepPasses implements AutoCloseable {
  private final BookKeeper bookKeeper;
  private final TrainableParameters trainable;
  private final ReleaseUnits units;
  private final Clipper clipper;
  private final Replicas replicas;
  private final NoiseMechanism mechanism;
  private final Rehearsal rehearsal;
  private final MicroBatchSize microBatchSize;
  private final StateTrial stateTrial;
  private final @Nullable StepStatistics statistics;
  private @Nullable PassInFlight inFlight;
  private @Nullable ParameterWatch watch;
  private long samplesSeen;
  private boolean detached;
  private long nonFiniteSamples;

  /**
   * @param statistics is told losses and norms; null for none
   */
  public StepPasses(
      BookKeeper bookKeeper,
      TrainableParameters trainable,
      ReleaseUnits units,
      Clipper clipper,
      Replicas replicas,
      NoiseMechanism mechanism,
      Rehearsal rehearsal,
      MicroBatchSize microBatchSize,
      StateTrial stateTrial,
      @Nullable StepStatistics statistics) {
    this.bookKeeper = bookKeeper;
    this.trainable = trainable;
    this.units = units;
    this.clipper = clipper;
    this.replicas = replicas;
    this.mechanism = mechanism;
    this.rehearsal = rehearsal;
    this.microBatchSize = microBatchSize;
    this.stateTrial = stateTrial;
    this.statistics = statistics;
  }

  /**
   * Runs the model on a share of a step's physical batch.
   *
   * @param manager owns what the pass makes where there is one device
   * @return the model's outputs
   */
  public NDList forward(
      LogicalStep step, Share share, NDManager manager, NDList data, NDList labels) {
    close();
    BookKeeper.Pass recorded = recorded(replicas.get(share.device()), manager, data, labels);
    PassInFlight pass = new PassInFlight(bookKeeper.kernels(), share, recorded);
    inFlight = pass;
    watch = recorded.watch();
    step.forwarded(share);
    if (microBatchSize.isMeasured()) {
      microBatchSize.observe(recorded.bytes(), recorded.batchSize());
    }
    return pass.outputs();
  }

  private BookKeeper.Pass recorded(Replica replica, NDManager manager, NDList data, NDList labels) {
    bookKeeper.state().begin();
    try {
      return bookKeeper.forward(
          replicas.areSeveral() ? replica.manager() : manager,
          data,
          labels,
          true,
          new BookKeeper.Parameters(replica::value, false),
          (store, ownData, ownLabels) ->
              bookKeeper.model().getBlock().forward(store, ownData, ownLabels, null));
    } catch (RuntimeException e) {
      bookKeeper.state().giveUp();
      throw e;
    }
  }

  /**
   * Gets ready for a pass over these data, and tries out on them what has to be tried.
   *
   * @param manager the manager of what is made; open until the batch's losses are there
   */
  public void prepare(NDManager manager, NDList data, NDList labels) {
    requireParametersUnmodified();
    bookKeeper.state().prepare();
    mechanism.prepare(replicas.firstSum());
    replicas.refreshIfStale();
    rehearsal.before(manager, onFirstDevice(data), onFirstDevice(labels));
  }

  /** Moves a list to the first device, where trial passes run with the model's own parameters. */
  private NDList onFirstDevice(NDList list) {
    return replicas.areSeveral() ? list.toDevice(replicas.get(0).device(), false) : list;
  }

  /** Takes note of the losses if it is the outputs of the pass in flight that were evaluated. */
  public void evaluated(NDList labels, NDList predictions, NDArray perSample, NDArray mean) {
    if (inFlight != null) {
      inFlight.evaluated(labels, predictions, perSample, mean);
    }
  }

  /**
   * Returns the per-sample losses of the pass in flight, once they have been checked.
   *
   * @param target what is to be back-propagated, their mean
   */
  public NDArray losses(NDArray target) {
    PassInFlight pass = inFlight;
    if (pass == null) {
      throw PassInFlight.foreignLoss();
    }
    NDArray perSample = pass.losses(target);
    rehearsal.after(perSample);
    return perSample;
  }

  /**
   * Back-propagates the losses of the pass in flight, clips each sample's gradient and adds it to
   * the step's sum.
   */
  public void clipAndAdd(LogicalStep step, NDArray target, NDArray losses) {
    PassInFlight pass = inFlight;
    if (pass == null) {
      throw PassInFlight.foreignLoss();
    }
    BookKeeper.Pass recorded = pass.pass();
    Share share = pass.share();
    // Evaluators and listeners see the outputs until the batch is closed.
    pass.outputs().attach(share.part().batch().getManager());
    target.attach(share.part().batch().getManager());
    try {
      MicroBatchSum clipped =
          new MicroBatchSum(
              recorded,
              losses,
              trainable,
              units,
              clipper,
              step.plan().contributionBound(),
              replicas.get(share.device()).sum(),
              statistics);
      recorded.backward(losses, clipped);
      settleState(share);
      nonFiniteSamples += clipped.finish();
      samplesSeen += recorded.batchSize();
    } finally {
      close();
    }
    step.added(share);
  }

  /** Sees what the pass has left in Java objects, and tries it out on others of its samples. */
  private void settleState(Share share) {
    NDManager manager = bookKeeper.model().getNDManager();
    bookKeeper
        .state()
        .end(
            (before, places) ->
                stateTrial.withoutData(
                    manager,
                    onFirstDevice(share.part().batch().getData()),
                    onFirstDevice(share.part().batch().getLabels()),
                    before,
                    places));
  }

  /** Runs the model for inference; what it leaves in Java objects does not stay. */
  public NDList evaluate(Supplier<NDList> run) {
    return detached ? run.get() : bookKeeper.state().evaluate(run);
  }

  /** Leaves the model: puts back what passes have left in its Java objects that depends on data. */
  public void leave() {
    close();
    bookKeeper.state().prepare();
    stateTrial.close();
    rehearsal.close();
    detached = true;
  }

  /** Checks that nobody has changed a parameter since the step's first pass. */
  public void requireParametersUnmodified() {
    if (watch != null) {
      watch.requireUnmodified();
    }
  }

  /** Lets parameters change until the next pass: the step is complete, or begins again. */
  public void endStep() {
    watch = null;
  }

  /** Returns how many samples had a gradient that was not finite. */
  public long nonFiniteSamples() {
    return nonFiniteSamples;
  }

  /** Returns whether more than half of the samples had a gradient that was not finite. */
  public boolean mostAreNonFinite() {
    return 2 * nonFiniteSamples > samplesSeen;
  }

  /** Returns the paths of the blocks behind which the graph is cut. */
  public List<String> cutPaths() {
    return bookKeeper.cutPaths();
  }

  /** Closes the pass in flight, if there is one. */
  @Override
  public void close() {
    if (inFlight != null) {
      inFlight.close();
    }
    inFlight = null;
    bookKeeper.state().giveUp();
  }
}
