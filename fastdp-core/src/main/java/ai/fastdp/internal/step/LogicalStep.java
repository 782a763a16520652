/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.step;

import ai.djl.Device;
import ai.djl.ndarray.NDList;
import ai.fastdp.kernel.TorchScriptModule;
import ai.fastdp.plan.StepPlan;
import ai.fastdp.sampling.PrivateBatch;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One logical step: which of its physical batches are out, which have been added to its sum, and
 * what it uses.
 *
 * <p>The step keeps the sample that was drawn for it until it is complete. A loop that begins again
 * gets the same sample again: which samples are trained on must not depend on what is in them.
 */
public final class LogicalStep {
  private final long number;
  private final StepPlan plan;
  private State state = State.WAITING;
  private @Nullable PrivateBatch batch;
  private final List<Share> shares = new ArrayList<>();
  private final List<Share> waiting = new ArrayList<>();

  /** The states of a logical step. */
  private enum State {
    /** No physical batch is out and none has been added. */
    WAITING,
    /** A physical batch is out and has not been added to the sum. */
    HANDED_OUT,
    /** The physical batch has been added; more follow. */
    ADDED,
    /** All have been added: the update is due. */
    DUE
  }

  /**
   * @param number the step's number, from 1
   * @param plan what all its physical batches, its noise and its event use
   */
  public LogicalStep(long number, StepPlan plan) {
    this.number = number;
    this.plan = plan;
  }

  public StepPlan plan() {
    return plan;
  }

  public boolean isWaiting() {
    return state == State.WAITING;
  }

  /** Returns whether the step's last physical batch has been added. */
  boolean isDue() {
    return state == State.DUE;
  }

  /** Returns whether a physical batch has been added after which more follow. */
  public boolean isBetweenBatches() {
    return state == State.ADDED;
  }

  /** Begins again with the first physical batch of the same sample. */
  public void restart() {
    if (state == State.DUE) {
      throw unfinished();
    }
    batch = null;
    shares.clear();
    waiting.clear();
    state = State.WAITING;
  }

  /** Checks that the next physical batch may be handed out. */
  public void requireReadyForNext() {
    if (state == State.HANDED_OUT || state == State.DUE) {
      throw unfinished();
    }
  }

  /** Hands out a physical batch. */
  public void handOut(PrivateBatch next, Device[] devices, TorchScriptModule kernels) {
    batch = next;
    shares.clear();
    next.shares(devices).forEach(part -> shares.add(new Share(kernels, part)));
    waiting.clear();
    waiting.addAll(shares);
    state = next.isEmpty() ? State.DUE : State.HANDED_OUT;
  }

  /** Returns whether a batch is the physical batch that is out. */
  public boolean isCurrent(PrivateBatch candidate) {
    return candidate == batch;
  }

  /** Returns the share of the physical batch that these are, which must not have been trained. */
  public Share shareOf(NDList data, NDList labels) {
    for (Share candidate : shares) {
      if (candidate.isOf(data, labels)) {
        if (state != State.HANDED_OUT || !waiting.contains(candidate)) {
          throw new IllegalStateException(
              "a batch must be trained once, got it again; take the next one from"
                  + " batches(dataset)");
        }
        candidate.requireUnchanged();
        return candidate;
      }
    }
    throw foreignData();
  }

  /** Renews the shares that wait: the model may have written into the inputs of this one. */
  void forwarded(Share share) {
    waiting.stream().filter(other -> other != share).forEach(Share::renew);
  }

  /** Notes that a share has been added to the sum. */
  void added(Share share) {
    waiting.remove(share);
    if (waiting.isEmpty()) {
      boolean last = batch != null && batch.endsStep();
      state = last ? State.DUE : State.ADDED;
    }
  }

  /** Checks that the update is due. */
  public void requireDue() {
    if (state != State.DUE) {
      throw new IllegalStateException(
          "a batch must be trained before step(), got none; call trainBatch(batch) first");
    }
  }

  IllegalStateException unfinished() {
    return new IllegalStateException(
        "every batch must be trained and stepped before the next one, got an unfinished batch of"
            + " step "
            + number
            + "; call trainBatch(batch) and step(), and to evaluate a data set call"
            + " EasyTrain.evaluateDataset(trainer, dataset) or iterate its own getData(manager)");
  }

  public static IllegalArgumentException foreignData() {
    return new IllegalArgumentException(
        "data must be the current batch of trainer.batches(dataset), got other data; batches that"
            + " are not drawn by Poisson sampling have no amplified guarantee");
  }
}
