/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.loss;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.fastdp.internal.hook.SampleAxis;

/**
 * The labels and predictions that a loss was given, and the errors that name the loss.
 *
 * <p>An error tells neither a label nor the number of samples, which are private.
 */
final class LossInputs {
  private final String loss;
  private final NDList labels;
  private final NDList predictions;

  LossInputs(String loss, NDList labels, NDList predictions) {
    this.loss = loss;
    this.labels = labels;
    this.predictions = predictions;
  }

  /**
   * Returns the only prediction; half width becomes float32, so that sums of logarithms are exact.
   */
  NDArray prediction() {
    if (predictions.size() != 1) {
      throw error(
          "predictions",
          "be one array",
          String.valueOf(predictions.size()),
          "give PrivacyEngineBuilder.optLoss a loss that takes all outputs of the model");
    }
    NDArray scores = predictions.head();
    if (scores.getDataType().isFloating() && scores.getDataType() != DataType.FLOAT16) {
      return scores;
    }
    // DJL's toType leaves the graph. An array with an axis makes the sum float32.
    return scores.add(
        scores.getManager().zeros(new Shape(1), DataType.FLOAT32, scores.getDevice()));
  }

  /** Returns the first label. */
  NDArray label() {
    if (labels.isEmpty()) {
      throw error("labels", "not be empty", "none", "have the data set give a label");
    }
    return labels.head();
  }

  /** Returns whether there is more than one label. */
  boolean hasMask() {
    return labels.size() > 1;
  }

  /** Returns the second label, as weights. */
  NDArray mask() {
    return labels.get(1).toType(DataType.FLOAT32, false);
  }

  /** Writes the shape of the first prediction for an error. */
  String predictionShape() {
    return shape(predictions.head(), label());
  }

  /** Writes the shape of a label or mask for an error. */
  String labelShape(NDArray array) {
    return shape(array, predictions.head());
  }

  /** Relative to an array that should have as many samples. */
  private static String shape(NDArray array, NDArray other) {
    long samples = other.getShape().dimension() == 0 ? 1 : other.getShape().get(0);
    return SampleAxis.FIRST.describe(array.getShape(), samples);
  }

  /** Checks the number of axes of the only prediction. */
  void requirePredictionRank(int rank, String wanted) {
    if (predictions.head().getShape().dimension() != rank) {
      throw error(
          "predictions",
          "have shape " + wanted,
          predictionShape(),
          "have the model keep the axis of the samples also in a batch of one (squeeze() without an"
              + " axis drops it), or set another loss by PrivacyEngineBuilder.optLoss");
    }
  }

  /** Makes the error for an argument. */
  IllegalArgumentException error(String name, String condition, String got, String remedy) {
    return new IllegalArgumentException(
        name + " of " + loss + " must " + condition + ", got " + got + "; " + remedy);
  }
}
