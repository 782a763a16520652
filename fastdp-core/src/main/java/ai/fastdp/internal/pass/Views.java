/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.pass;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.fastdp.internal.hook.SampleAxis;
import ai.fastdp.loss.PerSampleLoss;

/**
 * How many views of a sample go through the model: data (B, V, ...) become (B V, ...), and a
 * sample's loss is the mean of its views' losses, so that its gradient is the mean of theirs and is
 * clipped as one.
 *
 * @param perSample the number of views V; 1 where a sample is its only view and has no axis of them
 */
public record Views(int perSample) {
  public Views {
    if (perSample < 1) {
      throw new IllegalArgumentException("viewsPerSample must be >= 1, got " + perSample);
    }
  }

  /** Data (B, V, ...) as the model takes them, (B V, ...). */
  public NDList fold(NDList data) {
    if (perSample == 1) {
      return data;
    }
    NDList folded = new NDList();
    long samples = data.head().getShape().get(0);
    for (NDArray array : data) {
      Shape shape = array.getShape();
      if (shape.dimension() < 2 || shape.get(1) != perSample) {
        throw new IllegalArgumentException(
            "data must have the "
                + perSample
                + " views of a sample on their second axis, got "
                + SampleAxis.FIRST.describe(shape, samples)
                + "; make a sample of the data set an array of its views (V, ...)");
      }
      NDArray rows = array.reshape(new Shape(shape.get(0) * perSample).addAll(shape.slice(2)));
      rows.setName(array.getName());
      folded.add(rows);
    }
    return folded;
  }

  /** Labels (B, ...) once for each view, (B V, ...). */
  public NDList repeat(NDList labels) {
    if (perSample == 1) {
      return labels;
    }
    NDList repeated = new NDList();
    for (NDArray array : labels) {
      NDArray rows = array.repeat(0, perSample);
      rows.setName(array.getName());
      repeated.add(rows);
    }
    return repeated;
  }

  /**
   * The mean of a loss over the views: predictions (B V, ...) with labels (B, ...) give losses (B).
   * As many predictions as labels are samples without views, as in evaluation.
   */
  public PerSampleLoss mean(PerSampleLoss loss) {
    if (perSample == 1) {
      return loss;
    }
    return (labels, predictions) -> {
      long samples = labels.head().getShape().get(0);
      Shape shape = predictions.head().getShape();
      long rows = shape.dimension() == 0 ? 0 : shape.get(0);
      if (rows == samples) {
        return loss.evaluate(labels, predictions);
      }
      if (rows != samples * perSample) {
        throw new IllegalArgumentException(
            "predictions must have the samples (B) or their "
                + perSample
                + " views (B x "
                + perSample
                + ") on their first axis, got "
                + SampleAxis.FIRST.describe(predictions.head().getShape(), samples)
                + "; have the model keep the first axis of its inputs");
      }
      NDArray losses = loss.evaluate(repeat(labels), predictions);
      new LossShape(rows, "view").require(losses);
      return losses.reshape(samples, perSample).mean(new int[] {1});
    };
  }
}
