/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.training.loss.Loss;
import ai.fastdp.PerSampleLoss;

/**
 * The loss of private training, {@link PerSampleLoss#sequenceCrossEntropy()}, averaged over the
 * batch: the form in which DJL's own trainer takes it.
 *
 * <ul>
 *   <li>labels: targets (B, T) and mask (B, T)
 *   <li>predictions: logits (B, T, vocabulary)
 * </ul>
 */
final class SequenceCrossEntropy extends Loss {

  /** The losses of the samples, in nats. */
  static final PerSampleLoss PER_SAMPLE = PerSampleLoss.sequenceCrossEntropy();

  SequenceCrossEntropy() {
    super("SequenceCrossEntropy");
  }

  /** {@inheritDoc} */
  @Override
  public NDArray evaluate(NDList labels, NDList predictions) {
    return PER_SAMPLE.evaluate(labels, predictions).mean();
  }
}
