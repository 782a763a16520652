/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.loss;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;

/** Cross-entropy of class scores (B, C) and probabilities of the classes (B, C). */
final class ProbabilityCrossEntropy implements PerSampleLoss {
  @Override
  public NDArray evaluate(NDList labels, NDList predictions) {
    LossInputs inputs = new LossInputs("softmaxCrossEntropyOfProbabilities", labels, predictions);
    NDArray scores = inputs.prediction();
    inputs.requirePredictionRank(2, "(B, C)");
    NDArray label = inputs.label();
    if (!label.getShape().equals(scores.getShape())) {
      throw inputs.error(
          "labels",
          "have the shape of the predictions, " + inputs.predictionShape(),
          inputs.labelShape(label),
          "for class numbers set PerSampleLoss.softmaxCrossEntropy() by"
              + " PrivacyEngineBuilder.optLoss");
    }
    NDArray probabilities = label.toType(scores.getDataType(), false);
    NDArray terms = probabilities.mul(scores.logSoftmax(-1));
    // A class of probability 0 counts nothing, also where its score is minus infinity.
    return NDArrays.where(probabilities.neq(0), terms, terms.zerosLike()).sum(new int[] {1}).neg();
  }
}
