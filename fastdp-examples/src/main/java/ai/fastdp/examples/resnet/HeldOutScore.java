/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.resnet;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.training.ParameterStore;
import ai.djl.training.dataset.Batch;
import ai.djl.translate.TranslateException;
import ai.fastdp.examples.training.Score;
import ai.fastdp.loss.PerSampleLoss;
import java.io.IOException;
import java.io.UncheckedIOException;

/** Measures a model on images that it does not learn from. */
final class HeldOutScore {

  /** The losses of the images, in nats, from scores (B, classes) and classes (B). */
  static final PerSampleLoss PER_SAMPLE = PerSampleLoss.softmaxCrossEntropy();

  private HeldOutScore() {}

  /**
   * Returns the mean of {@link #PER_SAMPLE} and the fraction of images whose class has the largest
   * score.
   *
   * @param model the model; its weights are only read
   * @param dataset at least one image
   */
  static Score measure(Model model, ImageDataset dataset) {
    double loss = 0;
    long right = 0;
    long count = 0;
    try (NDManager scope = model.getNDManager().newSubManager()) {
      ParameterStore weights = new ParameterStore(scope, false);
      for (Batch batch : dataset.getData(scope)) {
        try (batch) {
          NDList scores = model.getBlock().forward(weights, batch.getData(), false);
          NDArray classes = batch.getLabels().head();
          loss += PER_SAMPLE.evaluate(batch.getLabels(), scores).sum().getFloat();
          NDArray best = scores.singletonOrThrow().argMax(1).toType(DataType.INT64, false);
          right += best.eq(classes).countNonzero().getLong();
          count += classes.size();
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (TranslateException e) {
      throw new IllegalStateException(e);
    }
    return new Score(loss / count, (double) right / count);
  }
}
