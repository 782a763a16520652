/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.training;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.training.loss.Loss;
import ai.fastdp.loss.PerSampleLoss;

/**
 * The loss of private training averaged over the batch: the form in which DJL's trainer takes it.
 */
public final class MeanLoss extends Loss {
  private final PerSampleLoss loss;

  /**
   * Makes the mean of a loss.
   *
   * @param loss the loss of each sample
   */
  public MeanLoss(PerSampleLoss loss) {
    super("Loss");
    this.loss = loss;
  }

  /** {@inheritDoc} */
  @Override
  public NDArray evaluate(NDList labels, NDList predictions) {
    return loss.evaluate(labels, predictions).mean();
  }
}
