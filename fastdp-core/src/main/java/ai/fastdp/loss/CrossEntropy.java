/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.loss;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;

/**
 * Cross-entropy of class scores and class numbers, of one position for each sample or the mean over
 * a sample's positions.
 *
 * <p>A position counts nothing, in value and gradient, if its label is {@value #IGNORED} or its
 * mask 0, whatever its scores are: it is selected away and not multiplied by 0.
 */
final class CrossEntropy implements PerSampleLoss {
  /** The label of a position without one, as in PyTorch and Hugging Face's data sets. */
  static final long IGNORED = -100;

  private final String name;
  private final boolean sequence;

  private CrossEntropy(String name, boolean sequence) {
    this.name = name;
    this.sequence = sequence;
  }

  /** Scores (B, C) and labels (B). */
  static CrossEntropy ofSamples() {
    return new CrossEntropy("softmaxCrossEntropy", false);
  }

  /** Scores (B, T, C), labels (B, T) and optionally a mask (B, T). */
  static CrossEntropy ofSequences() {
    return new CrossEntropy("sequenceCrossEntropy", true);
  }

  @Override
  public NDArray evaluate(NDList labels, NDList predictions) {
    LossInputs inputs = new LossInputs(name, labels, predictions);
    NDArray scores = scores(inputs);
    Shape positions = scores.getShape().slice(0, scores.getShape().dimension() - 1);
    NDArray given = classes(inputs, positions);
    NDArray classes = given.toType(DataType.INT64, false);
    NDArray kept = classes.neq(IGNORED);
    if (sequence && inputs.hasMask()) {
      NDArray mask = inputs.mask();
      requirePositions(inputs, "mask", mask, positions);
      kept = kept.logicalAnd(mask.neq(0));
    }
    NDArray losses = losses(inputs, scores, given, classes, kept);
    if (!sequence) {
      return losses;
    }
    NDArray weights = kept.toType(DataType.FLOAT32, false);
    if (inputs.hasMask()) {
      // A position with mask 0 has loss 0 by now.
      NDArray mask = inputs.mask();
      losses = losses.mul(mask);
      weights = weights.mul(mask);
    }
    int[] time = {1};
    return losses.sum(time).div(weights.sum(time).maximum(1));
  }

  private NDArray scores(LossInputs inputs) {
    NDArray scores = inputs.prediction();
    inputs.requirePredictionRank(sequence ? 3 : 2, sequence ? "(B, T, C)" : "(B, C)");
    long count = scores.getShape().get(scores.getShape().dimension() - 1);
    if (count < 2) {
      throw inputs.error(
          "predictions",
          "have at least 2 classes on their last axis",
          String.valueOf(count),
          "set PerSampleLoss.sigmoidBinaryCrossEntropy() for one score of two classes, or"
              + " PerSampleLoss.l2() for a regression, by PrivacyEngineBuilder.optLoss");
    }
    return scores;
  }

  /** Returns the labels in the shape of the positions. */
  private NDArray classes(LossInputs inputs, Shape positions) {
    NDArray label = inputs.label();
    Shape shape = label.getShape();
    if (!sequence && shape.dimension() == 2 && shape.get(1) == 1) {
      label = label.squeeze(1);
    }
    requirePositions(inputs, "labels", label, positions);
    return label;
  }

  private void requirePositions(LossInputs inputs, String what, NDArray array, Shape positions) {
    if (!array.getShape().equals(positions)) {
      throw inputs.error(
          what,
          sequence
              ? "have shape (B, T) as predictions (B, T, C) have"
              : "have shape (B) or (B, 1) as predictions (B, C) have",
          inputs.labelShape(array),
          sequence
              ? "give one class number, and one number of the mask, for each position"
              : "give one class number for each sample; for one-hot labels or probabilities set"
                  + " PerSampleLoss.softmaxCrossEntropyOfProbabilities() by"
                  + " PrivacyEngineBuilder.optLoss");
    }
  }

  /** Returns the losses of positions, 0 where they are not kept. */
  private NDArray losses(
      LossInputs inputs, NDArray scores, NDArray given, NDArray classes, NDArray kept) {
    long count = scores.getShape().get(scores.getShape().dimension() - 1);
    NDArray wrong = classes.lt(0).logicalOr(classes.gte(count));
    boolean floating = given.getDataType().isFloating();
    if (floating) {
      wrong = wrong.logicalOr(classes.toType(given.getDataType(), false).neq(given));
    }
    NDArray inRange = classes.clip(0L, count - 1);
    NDArray losses = picked(scores, inRange);
    NDArray undefined = losses.isNaN().logicalAnd(kept.logicalNot());
    // One transfer from the device for both questions.
    boolean[] any =
        NDArrays.stack(new NDList(wrong.logicalAnd(kept).any(), undefined.any())).toBooleanArray();
    if (any[0]) {
      throw inputs.error(
          "labels",
          "be whole numbers in [0, " + count + "), or " + IGNORED + " for a place without a label",
          "another number",
          "correct the data set, or give the model's last layer as many units as there are"
              + " classes");
    }
    if (any[1]) {
      // The scores of a place that counts nothing are infinite or not numbers: so would be its
      // gradient. Elsewhere this copy of the scores is saved.
      NDArray counting = kept.expandDims(-1).broadcast(scores.getShape());
      losses = picked(NDArrays.where(counting, scores, scores.zerosLike()), inRange);
    }
    return NDArrays.where(kept, losses, losses.zerosLike());
  }

  private static NDArray picked(NDArray scores, NDArray classes) {
    int axis = classes.getShape().dimension();
    return scores
        .logSoftmax(-1)
        .get(new NDIndex().addAllDim(axis).addPickDim(classes.expandDims(axis)))
        .squeeze(axis)
        .neg();
  }
}
