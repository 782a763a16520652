/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.training.listener.EvaluatorTrainingListener;
import ai.djl.training.loss.Loss;
import ai.fastdp.loss.PerSampleLoss;
import org.jspecify.annotations.Nullable;

/**
 * The loss as DJL's loops and evaluators use it: the mean of the per-sample losses over a batch.
 *
 * <p>Its training values are not private.
 */
final class MeanLoss extends Loss {
  private final PerSampleLoss loss;
  private @Nullable Observer observer;

  /** Takes note of an evaluation. */
  @FunctionalInterface
  interface Observer {
    void evaluated(NDList labels, NDList predictions, NDArray losses, NDArray mean);
  }

  MeanLoss(PerSampleLoss loss) {
    super("Loss");
    this.loss = loss;
  }

  void observe(Observer value) {
    observer = value;
  }

  @Override
  public NDArray evaluate(NDList labels, NDList predictions) {
    NDArray perSample = loss.evaluate(labels, predictions);
    NDArray mean = perSample.mean();
    if (observer != null) {
      observer.evaluated(labels, predictions, perSample, mean);
    }
    return mean;
  }

  /**
   * {@inheritDoc}
   *
   * <p>A batch that came out empty has loss 0: DJL would take its undefined mean for divergence.
   */
  @Override
  public float getAccumulator(String key) {
    Long count = totalInstances.get(key);
    return EvaluatorTrainingListener.TRAIN_ALL.equals(key) && count != null && count == 0
        ? 0
        : super.getAccumulator(key);
  }
}
