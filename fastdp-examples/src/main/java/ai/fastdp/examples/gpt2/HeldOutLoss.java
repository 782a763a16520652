/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Batch;
import ai.djl.translate.TranslateException;
import ai.fastdp.loss.PerSampleLoss;
import java.io.IOException;
import java.io.UncheckedIOException;

/** Measures a model on samples that it does not learn from. */
final class HeldOutLoss {

  /**
   * The losses of the samples, in nats, from logits (B, T, vocabulary), targets and mask (B, T).
   */
  static final PerSampleLoss PER_SAMPLE = PerSampleLoss.sequenceCrossEntropy();

  private HeldOutLoss() {}

  /**
   * Returns the mean of {@link #PER_SAMPLE} over the samples that have a target, in nats.
   *
   * @param model the model; its weights are only read
   * @param dataset as {@link EncodedExample#dataset} makes it; one sample at least has a target
   */
  static double measure(Model model, ArrayDataset dataset) {
    double total = 0;
    long count = 0;
    try (NDManager scope = model.getNDManager().newSubManager()) {
      ParameterStore weights = new ParameterStore(scope, false);
      for (Batch batch : dataset.getData(scope)) {
        try (batch) {
          NDList logits = model.getBlock().forward(weights, batch.getData(), false);
          NDArray losses = PER_SAMPLE.evaluate(batch.getLabels(), logits);
          total += losses.sum().getFloat();
          count += batch.getLabels().get(1).sum(new int[] {1}).gt(0).countNonzero().getLong();
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (TranslateException e) {
      throw new IllegalStateException(e);
    }
    return total / count;
  }
}
