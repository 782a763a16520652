/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import ai.djl.training.loss.Loss;
import ai.djl.training.loss.SoftmaxCrossEntropyLoss;
import ai.fastdp.OneStep;
import java.util.function.BinaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Losses of numbers and of probabilities against DJL's own on batches of one, and in formulas. */
final class ElementwiseLossTest {
  private static final int SAMPLES = 4;

  private final NDManager manager = NDManager.newBaseManager("PyTorch");

  @AfterEach
  void close() {
    manager.close();
  }

  private static Stream<Arguments> losses() {
    return Stream.of(
        Arguments.of("l1", PerSampleLoss.l1(), Loss.l1Loss()),
        Arguments.of("l2", PerSampleLoss.l2(), Loss.l2Loss()),
        Arguments.of(
            "sigmoid",
            PerSampleLoss.sigmoidBinaryCrossEntropy(),
            Loss.sigmoidBinaryCrossEntropyLoss()),
        Arguments.of(
            "probabilities",
            PerSampleLoss.softmaxCrossEntropyOfProbabilities(),
            new SoftmaxCrossEntropyLoss("dense", 1, -1, false, true)));
  }

  private static final class Result {
    final double[] losses;
    final double[] gradient;

    Result(double[] losses, double[] gradient) {
      this.losses = losses;
      this.gradient = gradient;
    }
  }

  private Result run(BinaryOperator<NDArray> loss, NDArray labels, NDArray predictions) {
    NDArray leaf = predictions.duplicate();
    leaf.setRequiresGradient(true);
    try (GradientCollector collector = manager.getEngine().newGradientCollector()) {
      NDArray losses = loss.apply(labels, leaf);
      collector.backward(losses.sum());
      return new Result(doubles(losses), doubles(leaf.getGradient()));
    }
  }

  private static double[] doubles(NDArray array) {
    return array.toType(DataType.FLOAT64, false).toDoubleArray();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("losses")
  void evaluate_anyBatch_equalsDjlOnBatchesOfOne(String name, PerSampleLoss loss, Loss djl) {
    for (Shape shape : new Shape[] {new Shape(SAMPLES, 5), new Shape(SAMPLES, 3, 2)}) {
      if (name.equals("probabilities") && shape.dimension() == 3) {
        continue;
      }
      for (DataType type : new DataType[] {DataType.FLOAT32, DataType.FLOAT64}) {
        NDArray predictions = OneStep.normal(manager, 5, 6, shape.getShape()).toType(type, true);
        NDArray labels = OneStep.normal(manager, 6, 1, shape.getShape()).softmax(-1);
        Result all =
            run((y, p) -> loss.evaluate(new NDList(y), new NDList(p)), labels, predictions);
        int width = Math.toIntExact(shape.slice(1).size());
        for (int i = 0; i < SAMPLES; i++) {
          Result one =
              run(
                  (y, p) -> djl.evaluate(new NDList(y), new NDList(p)),
                  labels.get(i + ":" + (i + 1)),
                  predictions.get(i + ":" + (i + 1)));
          assertThat(all.losses[i]).isCloseTo(one.losses[0], within(2e-6));
          for (int j = 0; j < width; j++) {
            assertThat(all.gradient[i * width + j]).isCloseTo(one.gradient[j], within(1e-6));
          }
        }
      }
    }
  }

  @Test
  void sigmoidBinaryCrossEntropy_zeroAndTails_haveTheExactDerivative() {
    double[] z = {0, 0, 30, -30, 90, -90, 15, -15};
    float[] y = {0, 1, 1, 0, 0, 1, 1, 0};
    float[] scores = new float[z.length];
    for (int i = 0; i < z.length; i++) {
      scores[i] = (float) z[i];
    }
    Result result =
        run(
            (labels, p) ->
                PerSampleLoss.sigmoidBinaryCrossEntropy()
                    .evaluate(new NDList(labels), new NDList(p)),
            manager.create(y),
            manager.create(scores, new Shape(z.length, 1)));
    for (int i = 0; i < z.length; i++) {
      double sign = y[i] == 1 ? -1 : 1;
      double expected = sign / (1 + Math.exp(-sign * z[i]));
      assertThat(result.losses[i])
          .isCloseTo(Math.log1p(Math.exp(sign * z[i])), within(1e-6 * Math.max(1, Math.abs(z[i]))));
      assertThat(result.gradient[i]).isCloseTo(expected, within(1e-6 * Math.abs(expected)));
    }
  }

  @Test
  void l2_flatLabelsOfAColumn_doNotMixSamples() {
    NDArray column = OneStep.normal(manager, 1, 1, SAMPLES, 1);
    NDArray flat = OneStep.normal(manager, 2, 1, SAMPLES);
    double[] losses = doubles(PerSampleLoss.l2().evaluate(new NDList(flat), new NDList(column)));
    assertThat(losses).hasSize(SAMPLES);
    for (int i = 0; i < SAMPLES; i++) {
      double d = flat.getFloat(i) - column.getFloat(i, 0);
      assertThat(losses[i]).isCloseTo(d * d / 2, within(1e-6));
    }
  }

  @Test
  void l2_wholeLabels_areNumbers() {
    double[] losses =
        doubles(
            PerSampleLoss.l2()
                .evaluate(
                    new NDList(manager.create(new long[] {1, 3})),
                    new NDList(manager.create(new float[] {0.5f, 3}))));
    assertThat(losses).containsExactly(0.125, 0);
  }

  @Test
  void l1_otherShapes_areRefused() {
    assertThatThrownBy(
            () ->
                PerSampleLoss.l1()
                    .evaluate(
                        new NDList(manager.zeros(new Shape(SAMPLES, 2))),
                        new NDList(manager.zeros(new Shape(SAMPLES, 3)))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("predictions, (B, 3), got (B, 2)", "mixes samples");
    assertThatThrownBy(
            () ->
                PerSampleLoss.l1()
                    .evaluate(
                        new NDList(manager.zeros(new Shape(SAMPLES))),
                        new NDList(manager.zeros(new Shape()))))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void sigmoidBinaryCrossEntropy_labelsOutsideTheRange_areRefused() {
    for (float label : new float[] {-1, 1.5f, Float.NaN}) {
      assertThatThrownBy(
              () ->
                  PerSampleLoss.sigmoidBinaryCrossEntropy()
                      .evaluate(
                          new NDList(manager.create(new float[] {0, label})),
                          new NDList(manager.zeros(new Shape(2)))))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("must be in [0, 1], got another number");
    }
  }

  @Test
  void softmaxCrossEntropyOfProbabilities_impossibleClassOfProbabilityZero_countsNothing() {
    float[] scores = {Float.NEGATIVE_INFINITY, 0, 0};
    Result result =
        run(
            (y, p) ->
                PerSampleLoss.softmaxCrossEntropyOfProbabilities()
                    .evaluate(new NDList(y), new NDList(p)),
            manager.create(new long[] {0, 1, 0}, new Shape(1, 3)),
            manager.create(scores, new Shape(1, 3)));
    assertThat(result.losses[0]).isCloseTo(Math.log(2), within(1e-6));
    assertThat(result.gradient).containsExactly(new double[] {0, -0.5, 0.5}, within(1e-6));
  }
}
