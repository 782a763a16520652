/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.loss.Loss;
import ai.fastdp.hook.SampleAxis;

/**
 * A loss for each sample of a batch.
 *
 * <p>Clipping bounds each sample's influence, so the loss of one sample must not depend on the
 * others: no mean over the batch, no normalisation by a count over the batch.
 */
@FunctionalInterface
public interface PerSampleLoss {
  /**
   * Computes the losses.
   *
   * @param labels the labels, samples on the first axis
   * @param predictions the model's outputs, samples on the first axis
   * @return (B), sample i's loss from sample i's labels and predictions alone
   */
  NDArray evaluate(NDList labels, NDList predictions);

  /**
   * Cross-entropy of class scores: \(\ell_i = -\log \mathrm{softmax}(z_i)_{y_i}\).
   *
   * <p>Predictions (B, C) scores, labels (B) class numbers. Scores of half width become float32.
   *
   * @return the loss
   */
  static PerSampleLoss softmaxCrossEntropy() {
    return (labels, predictions) -> {
      NDArray scores = inFloat32(predictions.singletonOrThrow());
      NDArray classes = labels.head().toType(DataType.INT64, false);
      requireShape("predictions", scores, 2);
      requireShape("labels", classes, 1);
      return pick(scores.logSoftmax(-1), classes, 1).neg();
    };
  }

  /**
   * Cross-entropy of a sequence of class scores, averaged inside each sample: \(\ell_i =
   * -\frac{1}{\max(1, \sum_t m_{it})} \sum_t m_{it} \log \mathrm{softmax}(z_{it})_{y_{it}}\).
   *
   * <p>Predictions (B, T, C) scores; labels (B, T) class numbers and optionally a mask m (B, T) of
   * ones and zeros, all ones by default. A sample whose mask is all zero has loss 0. Scores of half
   * width become float32.
   *
   * @return the loss
   */
  static PerSampleLoss sequenceCrossEntropy() {
    return (labels, predictions) -> {
      NDArray scores = inFloat32(predictions.singletonOrThrow());
      NDArray classes = labels.head().toType(DataType.INT64, false);
      requireShape("predictions", scores, 3);
      requireShape("labels", classes, 2);
      NDArray losses = pick(scores.logSoftmax(-1), classes, 2).neg();
      if (labels.size() == 1) {
        return losses.mean(new int[] {1});
      }
      NDArray mask = labels.get(1).toType(DataType.FLOAT32, false);
      requireShape("mask", mask, 2);
      NDArray counts = mask.sum(new int[] {1}).maximum(1);
      return losses.mul(mask).sum(new int[] {1}).div(counts);
    };
  }

  /**
   * A DJL loss that averages over the batch, evaluated on one sample at a time.
   *
   * <p>Exact for every loss whose value on a batch of one is that sample's loss; it costs one
   * evaluation for each sample.
   *
   * @param loss the loss
   * @return the losses of the samples
   */
  static PerSampleLoss eachSample(Loss loss) {
    return (labels, predictions) -> {
      long batchSize = predictions.head().getShape().get(0);
      NDList losses = new NDList();
      for (long i = 0; i < batchSize; i++) {
        NDArray value = loss.evaluate(sample(labels, i), sample(predictions, i));
        if (value.size() != 1) {
          throw new IllegalArgumentException(
              "loss must give one number for one sample, got shape "
                  + value.getShape()
                  + " from "
                  + loss.getName());
        }
        losses.add(value.reshape(new Shape()));
      }
      return NDArrays.stack(losses, 0);
    };
  }

  /**
   * A loss of samples-first arrays, for a model whose predictions or labels have their samples on
   * another axis: they are moved to the first axis, the other axes keeping their order. For
   * time-major scores (T, B, C) and labels (B, T): {@code onSampleAxes(1, 0,
   * sequenceCrossEntropy())}.
   *
   * @param predictions the axis of the samples in every prediction, from 0
   * @param labels the axis of the samples in every label, from 0
   * @param loss the loss
   * @return the losses of the samples
   * @throws IllegalArgumentException if an axis is negative
   */
  static PerSampleLoss onSampleAxes(int predictions, int labels, PerSampleLoss loss) {
    SampleAxis ofPredictions = new SampleAxis(predictions);
    SampleAxis ofLabels = new SampleAxis(labels);
    return (y, scores) ->
        loss.evaluate(samplesFirst(y, ofLabels), samplesFirst(scores, ofPredictions));
  }

  private static NDList samplesFirst(NDList list, SampleAxis axis) {
    NDList moved = new NDList();
    list.forEach(array -> moved.add(axis.toFirst(array)));
    return moved;
  }

  private static NDList sample(NDList list, long i) {
    NDList one = new NDList();
    list.forEach(array -> one.add(array.get(new NDIndex().addSliceDim(i, i + 1))));
    return one;
  }

  private static NDArray inFloat32(NDArray scores) {
    if (scores.getDataType().isFloating() && scores.getDataType() != DataType.FLOAT16) {
      return scores;
    }
    // DJL's toType leaves the graph. An array with an axis makes the sum float32.
    return scores.add(
        scores.getManager().zeros(new Shape(1), DataType.FLOAT32, scores.getDevice()));
  }

  private static NDArray pick(NDArray logProbabilities, NDArray classes, int axis) {
    return logProbabilities
        .get(new NDIndex().addAllDim(axis).addPickDim(classes.expandDims(axis)))
        .squeeze(axis);
  }

  private static void requireShape(String name, NDArray array, int rank) {
    if (array.getShape().dimension() != rank) {
      throw new IllegalArgumentException(
          name + " must have " + rank + " axes, got shape " + array.getShape());
    }
  }
}
