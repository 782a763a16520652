/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.step;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.fastdp.internal.pass.BookKeeper;
import ai.fastdp.kernel.TorchScriptModule;
import ai.fastdp.sampling.FixedList;
import org.jspecify.annotations.Nullable;

/**
 * A recorded forward pass of a share that waits for its loss and its backward pass.
 *
 * <p>DJL's loops hold data, labels, outputs and the loss in their own hands in between. What comes
 * back must be what was given: the same arrays with the same values.
 */
final class PassInFlight implements AutoCloseable {
  private final Share share;
  private final BookKeeper.Pass pass;
  private final HandedOut outputs;
  private final TorchScriptModule kernels;
  private @Nullable NDArray losses;
  private @Nullable HandedOut evaluatedLosses;
  private @Nullable NDArray mean;

  PassInFlight(TorchScriptModule kernels, Share share, BookKeeper.Pass pass) {
    this.kernels = kernels;
    this.share = share;
    this.pass = pass;
    outputs = new HandedOut(kernels, "predictions", new FixedList(pass.outputs()));
  }

  Share share() {
    return share;
  }

  BookKeeper.Pass pass() {
    return pass;
  }

  /** Returns the model's outputs, for the loss and for evaluators, as a fixed list. */
  NDList outputs() {
    return outputs.list();
  }

  /** Takes note of the losses if it is this pass's outputs that were evaluated. */
  void evaluated(NDList labels, NDList predictions, NDArray perSample, NDArray value) {
    if (!outputs.is(predictions)) {
      return;
    }
    if (!share.hasLabels(labels)) {
      throw new IllegalArgumentException(
          "labels must be those of the batch that went through the model, got others; change labels"
              + " in the data set, where each sample's depend on that sample alone");
    }
    share.requireLabelsUnchanged();
    outputs.requireUnchanged();
    pass.requirePerSample(perSample);
    losses = perSample;
    evaluatedLosses = new HandedOut(kernels, "losses", new NDList(perSample));
    mean = value;
  }

  /** Returns the per-sample losses whose mean is back-propagated. */
  NDArray losses(NDArray target) {
    NDArray perSample = losses;
    if (perSample == null || evaluatedLosses == null || target != mean) {
      throw foreignLoss();
    }
    evaluatedLosses.requireUnchanged();
    share.requireLabelsUnchanged();
    outputs.requireUnchanged();
    return perSample;
  }

  static IllegalStateException foreignLoss() {
    return new IllegalStateException(
        "backward must be given the value that trainer.getLoss() returned for the current batch;"
            + " to change the loss, set it on the engine's builder");
  }

  @Override
  public void close() {
    pass.close();
  }
}
