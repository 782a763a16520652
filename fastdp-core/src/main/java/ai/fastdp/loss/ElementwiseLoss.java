/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.loss;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import java.util.function.BinaryOperator;

/** A loss of each number of a sample's prediction and label; a sample's loss is their mean. */
final class ElementwiseLoss implements PerSampleLoss {
  private final String name;
  private final boolean probabilities;
  private final BinaryOperator<NDArray> ofNumbers;

  private ElementwiseLoss(String name, boolean probabilities, BinaryOperator<NDArray> ofNumbers) {
    this.name = name;
    this.probabilities = probabilities;
    this.ofNumbers = ofNumbers;
  }

  static ElementwiseLoss l1() {
    return new ElementwiseLoss("l1", false, (y, p) -> y.sub(p).abs());
  }

  static ElementwiseLoss l2() {
    return new ElementwiseLoss("l2", false, (y, p) -> y.sub(p).square().mul(0.5f));
  }

  static ElementwiseLoss sigmoidBinaryCrossEntropy() {
    // Each term is exact in its tail, and so is its derivative, at z = 0 as well.
    return new ElementwiseLoss(
        "sigmoidBinaryCrossEntropy",
        true,
        (y, z) ->
            y.mul(Activation.softPlus(z.neg())).add(y.neg().add(1).mul(Activation.softPlus(z))));
  }

  @Override
  public NDArray evaluate(NDList labels, NDList predictions) {
    LossInputs inputs = new LossInputs(name, labels, predictions);
    NDArray prediction = inputs.prediction();
    NDArray label = inputs.label();
    if (prediction.getShape().dimension() == 0
        || !narrow(prediction.getShape()).equals(narrow(label.getShape()))) {
      throw inputs.error(
          "labels",
          "have the shape of the predictions, " + inputs.predictionShape(),
          inputs.labelShape(label),
          "reshape one of them, samples on the first axis; arrays of different shapes would be"
              + " broadcast, which mixes samples");
    }
    Shape rows = new Shape(prediction.getShape().get(0), prediction.getShape().slice(1).size());
    NDArray y = label.toType(prediction.getDataType(), false).reshape(rows);
    if (probabilities) {
      requireProbabilities(inputs, y);
    }
    return ofNumbers.apply(y, prediction.reshape(rows)).mean(new int[] {1});
  }

  /** Returns a shape without axes of length 1 behind the first axis. */
  private static Shape narrow(Shape shape) {
    Shape narrow = shape.slice(0, Math.min(1, shape.dimension()));
    for (int i = 1; i < shape.dimension(); i++) {
      if (shape.get(i) != 1) {
        narrow = narrow.add(shape.get(i));
      }
    }
    return narrow;
  }

  private static void requireProbabilities(LossInputs inputs, NDArray label) {
    if (!label.gte(0).logicalAnd(label.lte(1)).all().getBoolean()) {
      throw inputs.error(
          "labels", "be in [0, 1]", "another number", "give 1 for one class and 0 for the other");
    }
  }
}
