/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.translate.TranslateException;
import ai.fastdp.accounting.ledger.PrivacyBudgetExceededException;
import ai.fastdp.internal.hook.HookedModel;
import ai.fastdp.internal.run.ReportWriter;
import ai.fastdp.internal.run.RunRecord;
import ai.fastdp.internal.run.SavedRun;
import ai.fastdp.internal.run.StepCommit;
import ai.fastdp.internal.step.LogicalStep;
import ai.fastdp.internal.step.Replicas;
import ai.fastdp.internal.step.Share;
import ai.fastdp.internal.step.StepPasses;
import ai.fastdp.kernel.TorchScriptModule;
import ai.fastdp.mechanism.NoiseMechanism;
import ai.fastdp.optimizer.DpOptimizer;
import ai.fastdp.sampling.PoissonBatches;
import ai.fastdp.sampling.PrivateBatch;
import java.io.IOException;
import java.util.Iterator;
import java.util.concurrent.ExecutorService;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A run's logical steps, one after the other: hands out the batches of a step, adds them to its
 * sum, and completes it. {@link PrivateTrainer} shows it to DJL.
 */
final class TrainingRun implements AutoCloseable {
  private static final Logger LOGGER = LoggerFactory.getLogger(TrainingRun.class);

  private final NDManager resources;
  private final TorchScriptModule kernels;
  private final RunRecord record;
  private final HookedModel hooks;
  private final Replicas replicas;
  private final NoiseMechanism mechanism;
  private final BatchSource source;
  private final StepPasses passes;
  private final StepCommit commit;
  private final DpOptimizer optimizer;
  private final @Nullable ReportWriter report;
  private final TrainerState state = new TrainerState();
  private @Nullable SavedRun saved;
  private @Nullable LogicalStep step;

  TrainingRun(Attachment parts) {
    resources = parts.manager();
    kernels = parts.kernels();
    record = parts.run();
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
      report.begin(record);
    }
  }

  RunRecord record() {
    return record;
  }

  Replicas replicas() {
    return replicas;
  }

  BatchSource source() {
    return source;
  }

  StepPasses passes() {
    return passes;
  }

  /** Checks that the run can go on. */
  void requireUsable() {
    state.requireUsable();
  }

  /** Gives an initialized model the arrays of the checkpoint, if the run goes on from one. */
  void restore(Block block) {
    SavedRun from = saved;
    if (from != null) {
      from.restore(block, kernels, resources, optimizer);
      mechanism.skipNoise(from.noisePosition());
      from.close();
      saved = null;
    }
  }

  /**
   * Returns the micro-batches of the next steps, drawn as they are asked for.
   *
   * @param manager owns the batches
   * @param executor loads batches ahead; null for none
   * @param type gives batches the type that a loop asks for
   */
  <B extends Batch> Iterable<B> draw(
      RandomAccessDataset dataset,
      long steps,
      NDManager manager,
      @Nullable ExecutorService executor,
      Function<PrivateBatch, B> type)
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
    replicas.clear();
    PoissonBatches drawn = source.draw(dataset, steps, manager, executor);
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
      replicas.parametersChanged();
    }
    try {
      state.runOnce(() -> record.begin(current.plan()));
    } catch (PrivacyBudgetExceededException e) {
      state.undone();
      commit.refused(e);
      throw e;
    }
    PrivateBatch next = drawn.next();
    current.handOut(next, replicas.devices(), kernels);
    return next;
  }

  /** Returns the step under way, or the next one. */
  private LogicalStep currentStep() {
    LogicalStep current = step;
    if (current == null) {
      current = new LogicalStep(record.taken() + 1, record.nextStep());
      step = current;
    }
    return current;
  }

  /** Checks that a batch is the physical batch that is out. */
  void requireCurrent(PrivateBatch batch) {
    if (step == null || !step.isCurrent(batch)) {
      throw LogicalStep.foreignData();
    }
  }

  /** Returns the share of the physical batch that these are, which must not have been trained. */
  Share shareOf(NDList data, NDList labels) {
    return currentStep().shareOf(data, labels);
  }

  /** Runs the model on a share of the step's physical batch. */
  NDList forward(Share share, NDManager manager, NDList data, NDList labels) {
    return passes.forward(currentStep(), share, manager, data, labels);
  }

  /** Clips the gradients of the pass in flight and adds them to the step's sum. */
  void backward(NDArray target) {
    NDArray losses = passes.losses(target);
    LogicalStep current = currentStep();
    state.runOnce(() -> passes.clipAndAdd(current, target, losses));
  }

  /**
   * Completes the step if all its physical batches have been added.
   *
   * @return false if more of its batches follow
   */
  boolean step() {
    state.requireUsable();
    LogicalStep current = currentStep();
    if (current.isBetweenBatches()) {
      return false;
    }
    current.requireDue();
    passes.requireParametersUnmodified();
    passes.endStep();
    state.runOnce(() -> commit.complete(current));
    source.forgetCompleted();
    step = null;
    return true;
  }

  /** Saves a checkpoint between steps. */
  void saveCheckpoint() {
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

  /** Ends the steps, and saves those that are complete; one that is given up stays charged. */
  void detach() {
    if (state.isDetached()) {
      return;
    }
    state.detach();
    passes.leave();
    hooks.detach();
    if (!state.isFailed()) {
      commit.saveRest();
    }
  }

  /** Detaches the model and writes the end of the report. */
  void end() {
    detach();
    if (report != null) {
      report.end(record.taken(), record.statement("record"));
    }
    if (passes.mostAreNonFinite()) {
      LOGGER.warn(
          "more than half of the samples had gradients that were not finite and contributed"
              + " nothing: look for missing values in the data and for a diverging model (see"
              + " nonFiniteSamples())");
    }
  }

  /** Closes what the run holds, except for the arrays of {@link #releaseMemory}. */
  @Override
  public void close() {
    passes.close();
    optimizer.close();
    record.close();
    mechanism.close();
    if (report != null) {
      report.close();
    }
    if (saved != null) {
      saved.close();
    }
  }

  /** Releases the run's memory, once DJL's trainer is closed. */
  void releaseMemory() {
    resources.close();
  }
}
