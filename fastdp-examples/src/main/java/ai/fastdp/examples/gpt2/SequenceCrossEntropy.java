/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.training.loss.Loss;

/**
 * Cross-entropy of the next token, averaged over the masked places of each sample first and over
 * the samples then.
 *
 * <p>\(\ell_i = \frac{\sum_t m_{it} \, (-\log p_{it}(y_{it}))}{\max(1, \sum_t m_{it})}\), in nats;
 * the loss is the mean of \(\ell_i\). So no sample weighs more for being long, and the loss of one
 * sample does not depend on the others.
 *
 * <ul>
 *   <li>labels: targets y (B, T) int64 and mask m (B, T)
 *   <li>predictions: logits (B, T, vocabulary)
 * </ul>
 */
final class SequenceCrossEntropy extends Loss {

  SequenceCrossEntropy() {
    super("SequenceCrossEntropy");
  }

  /** {@inheritDoc} */
  @Override
  public NDArray evaluate(NDList labels, NDList predictions) {
    return perSample(labels, predictions).mean();
  }

  /** Returns the losses of the samples, (B). */
  static NDArray perSample(NDList labels, NDList predictions) {
    NDArray targets = labels.get(0);
    NDArray mask = labels.get(1);
    NDArray logProbabilities = predictions.singletonOrThrow().logSoftmax(-1);
    NDArray places = logProbabilities.gather(targets.expandDims(2), 2).squeeze(2).neg().mul(mask);
    return places.sum(new int[] {1}).div(mask.sum(new int[] {1}).maximum(1));
  }

  /** Returns 1 for each sample that has a masked place, 0 for the others, (B). */
  static NDArray hasTarget(NDList labels) {
    return labels.get(1).sum(new int[] {1}).gt(0).toType(DataType.FLOAT32, false);
  }
}
