/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.loss;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.loss.Loss;
import ai.fastdp.internal.hook.SampleAxis;

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
   * <p>Predictions (B, C) scores of C >= 2 classes, labels (B) or (B, 1) class numbers. A sample
   * with label -100 has loss 0 and gradient 0. Scores of half width become float32. For one-hot
   * labels there is {@link #softmaxCrossEntropyOfProbabilities()}, for one score of two classes
   * {@link #sigmoidBinaryCrossEntropy()}.
   *
   * <p>A label that is no class number is an error before the step releases anything. That an error
   * came depends on a record and is not covered by the guarantee: check the labels of a data set
   * before its training begins.
   *
   * @return the loss
   */
  static PerSampleLoss softmaxCrossEntropy() {
    return CrossEntropy.ofSamples();
  }

  /**
   * Cross-entropy of class scores and probabilities of the classes: \(\ell_i = -\sum_c q_{ic} \log
   * \mathrm{softmax}(z_i)_c\).
   *
   * <p>Predictions (B, C) scores, labels (B, C) probabilities, or one-hot. Scores of half width
   * become float32.
   *
   * @return the loss
   */
  static PerSampleLoss softmaxCrossEntropyOfProbabilities() {
    return new ProbabilityCrossEntropy();
  }

  /**
   * Cross-entropy of a sequence of class scores, averaged inside each sample: \(\ell_i =
   * -\frac{1}{\max(1, \sum_t m_{it})} \sum_t m_{it} \log \mathrm{softmax}(z_{it})_{y_{it}}\).
   *
   * <p>Predictions (B, T, C) scores of C >= 2 classes; labels (B, T) class numbers and optionally a
   * mask m (B, T) of ones and zeros, all ones by default. A position with mask 0 or label -100
   * counts nothing, whatever its scores and its label are, and has gradient 0. A sample none of
   * whose positions counts has loss 0. Scores of half width become float32.
   *
   * <p>Without a mask and without labels of -100 every position counts, padded ones too. Where
   * samples are padded to the longest of their batch, one sample's length then moves the others'
   * losses, which is not private: mask what is padded, and pad to a fixed length that is public.
   *
   * <p>A label that is no class number is an error before the step releases anything. That an error
   * came depends on a record and is not covered by the guarantee: check the labels of a data set
   * before its training begins.
   *
   * @return the loss
   */
  static PerSampleLoss sequenceCrossEntropy() {
    return CrossEntropy.ofSequences();
  }

  /**
   * Cross-entropy of scores of two classes, averaged over a sample's n numbers: \(\ell_i =
   * -\frac{1}{n} \sum_j y_{ij} \log \mathrm{sigmoid}(z_{ij}) + (1 - y_{ij}) \log (1 -
   * \mathrm{sigmoid}(z_{ij}))\).
   *
   * <p>Predictions (B, ...) scores and labels of the same shape, in [0, 1]; axes of length 1 behind
   * the first make no difference. It equals DJL's {@code sigmoidBinaryCrossEntropyLoss} on a batch
   * of one. Scores of half width become float32.
   *
   * @return the loss
   */
  static PerSampleLoss sigmoidBinaryCrossEntropy() {
    return ElementwiseLoss.sigmoidBinaryCrossEntropy();
  }

  /**
   * Half the squared error, averaged over a sample's n numbers: \(\ell_i = \frac{1}{2n} \sum_j
   * (y_{ij} - p_{ij})^2\).
   *
   * <p>Predictions (B, ...) and labels of the same shape; axes of length 1 behind the first make no
   * difference. It equals DJL's {@code l2Loss} on a batch of one. Predictions of half width become
   * float32.
   *
   * @return the loss
   */
  static PerSampleLoss l2() {
    return ElementwiseLoss.l2();
  }

  /**
   * The absolute error, averaged over a sample's n numbers: \(\ell_i = \frac{1}{n} \sum_j |y_{ij} -
   * p_{ij}|\).
   *
   * <p>Shapes and types as in {@link #l2()}. It equals DJL's {@code l1Loss} on a batch of one.
   *
   * @return the loss
   */
  static PerSampleLoss l1() {
    return ElementwiseLoss.l1();
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
      Shape shape = predictions.head().getShape();
      long batchSize = shape.dimension() == 0 ? 0 : shape.get(0);
      requireSamples("predictions", predictions, batchSize);
      requireSamples("labels", labels, batchSize);
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

  private static void requireSamples(String name, NDList list, long batchSize) {
    for (NDArray array : list) {
      if (!SampleAxis.FIRST.holds(array, batchSize)) {
        throw new IllegalArgumentException(
            name
                + " of eachSample must have the samples (B) on their first axis, got "
                + SampleAxis.FIRST.describe(array.getShape(), batchSize)
                + "; have the model keep the axis of the samples also in a batch of one"
                + " (squeeze() without an axis drops it), or wrap the loss in onSampleAxes");
      }
    }
  }

  private static NDList samplesFirst(NDList list, SampleAxis axis) {
    NDList moved = new NDList();
    for (NDArray array : list) {
      if (array.getShape().dimension() <= axis.number()) {
        throw new IllegalArgumentException(
            "predictions and labels must have the axis of their samples, "
                + axis.number()
                + ", got an array of "
                + array.getShape().dimension()
                + " axes; declare in onSampleAxes where they have it");
      }
      moved.add(axis.toFirst(array));
    }
    return moved;
  }

  private static NDList sample(NDList list, long i) {
    NDList one = new NDList();
    list.forEach(array -> one.add(array.get(new NDIndex().addSliceDim(i, i + 1))));
    return one;
  }
}
