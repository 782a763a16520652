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
import ai.fastdp.OneStep;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Cross-entropies where places count nothing, and the errors of labels and shapes. */
final class CrossEntropyTest {
  private static final int SAMPLES = 3;
  private static final int TIME = 4;
  private static final int CLASSES = 5;

  private final NDManager manager = NDManager.newBaseManager("PyTorch");

  @AfterEach
  void close() {
    manager.close();
  }

  /** Losses and gradient of their sum, in float64 and plain Java. */
  private static final class Reference {
    final double[] losses;
    final double[] gradient;

    private Reference(double[] losses, double[] gradient) {
      this.losses = losses;
      this.gradient = gradient;
    }

    static Reference of(double[] scores, long[] labels, double[] weights, int time, int classes) {
      int samples = labels.length / time;
      double[] losses = new double[samples];
      double[] gradient = new double[scores.length];
      for (int i = 0; i < samples; i++) {
        double count = 0;
        for (int t = 0; t < time; t++) {
          count += weights[i * time + t];
        }
        count = Math.max(1, count);
        for (int t = 0; t < time; t++) {
          int place = i * time + t;
          if (weights[place] == 0) {
            continue;
          }
          double sum = 0;
          for (int c = 0; c < classes; c++) {
            sum += Math.exp(scores[place * classes + c]);
          }
          for (int c = 0; c < classes; c++) {
            double one = c == labels[place] ? 1 : 0;
            double p = Math.exp(scores[place * classes + c]) / sum;
            gradient[place * classes + c] = weights[place] / count * (p - one);
            losses[i] -= one * weights[place] / count * Math.log(p);
          }
        }
      }
      return new Reference(losses, gradient);
    }
  }

  private void requireEqual(
      PerSampleLoss loss, NDList labels, NDArray scores, Reference expected, double tolerance) {
    scores.setRequiresGradient(true);
    NDArray losses;
    try (GradientCollector collector = manager.getEngine().newGradientCollector()) {
      losses = loss.evaluate(labels, new NDList(scores));
      collector.backward(losses.sum());
    }
    assertThat(losses.getShape()).isEqualTo(new Shape(expected.losses.length));
    assertThat(doubles(losses)).containsExactly(expected.losses, within(tolerance));
    assertThat(doubles(scores.getGradient())).containsExactly(expected.gradient, within(tolerance));
    // No rounding where nothing counts.
    for (int j = 0; j < expected.gradient.length; j++) {
      if (expected.gradient[j] == 0) {
        assertThat(doubles(scores.getGradient())[j]).isZero();
      }
    }
  }

  private static double[] doubles(NDArray array) {
    return array.toType(DataType.FLOAT64, false).toDoubleArray();
  }

  private NDArray scores(DataType type) {
    return OneStep.normal(manager, 3, 3, SAMPLES, TIME, CLASSES).toType(type, true);
  }

  private static long[] labels(long... values) {
    return values;
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource(
      value = DataType.class,
      names = {"FLOAT32", "FLOAT64", "FLOAT16"})
  void sequenceCrossEntropy_ignoredAndMaskedPlaces_haveNoPartInLossesAndGradient(DataType type) {
    long[] labels = labels(1, 4, -100, -100, 0, -100, 3, 2, -100, -100, -100, 99);
    double[] weights = {1, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0};
    float[] mask = {1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 0, 0};
    NDArray scores = scores(type);
    requireEqual(
        PerSampleLoss.sequenceCrossEntropy(),
        new NDList(
            manager.create(labels, new Shape(SAMPLES, TIME)),
            manager.create(mask, new Shape(SAMPLES, TIME))),
        scores,
        Reference.of(doubles(scores), labels, weights, TIME, CLASSES),
        type == DataType.FLOAT16 ? 1e-3 : 1e-5);
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(floats = {Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY, Float.NaN, 3e38f})
  void sequenceCrossEntropy_anyScoreAtAPlaceThatCountsNothing_changesNothing(float hostile) {
    long[] labels = labels(1, 4, -100, 2, 0, 1, 3, 2, 2, 0, 1, 1);
    double[] weights = {1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1};
    NDArray mask = manager.create(weights, new Shape(SAMPLES, TIME)).toType(DataType.BOOLEAN, true);
    for (int width : new int[] {1, CLASSES}) {
      float[] values = OneStep.normal(manager, 3, 3, SAMPLES, TIME, CLASSES).toFloatArray();
      double[] plain = new double[values.length];
      for (int j = 0; j < values.length; j++) {
        plain[j] = values[j];
      }
      Arrays.fill(values, 2 * CLASSES, 2 * CLASSES + width, hostile);
      Arrays.fill(values, 7 * CLASSES, 7 * CLASSES + width, hostile);
      requireEqual(
          PerSampleLoss.sequenceCrossEntropy(),
          new NDList(manager.create(labels, new Shape(SAMPLES, TIME)), mask),
          manager.create(values, new Shape(SAMPLES, TIME, CLASSES)),
          Reference.of(plain, labels, weights, TIME, CLASSES),
          1e-5);
    }
  }

  @Test
  void sequenceCrossEntropy_notANumberWhereItCounts_isNotHidden() {
    float[] values = new float[SAMPLES * TIME * CLASSES];
    values[0] = Float.NaN;
    float[] losses =
        PerSampleLoss.sequenceCrossEntropy()
            .evaluate(
                new NDList(manager.zeros(new Shape(SAMPLES, TIME), DataType.INT64)),
                new NDList(manager.create(values, new Shape(SAMPLES, TIME, CLASSES))))
            .toFloatArray();
    assertThat(losses[0]).isNaN();
    assertThat(losses[1]).isCloseTo((float) Math.log(CLASSES), within(1e-5f));
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource(
      value = DataType.class,
      names = {"INT64", "INT32", "FLOAT32", "FLOAT64"})
  void softmaxCrossEntropy_labelsOfAnyTypeFlatOrAsColumn_equalTheReference(DataType type) {
    long[] labels = labels(4, -100, 0);
    double[] weights = {1, 0, 1};
    for (Shape shape : new Shape[] {new Shape(SAMPLES), new Shape(SAMPLES, 1)}) {
      NDArray scores = OneStep.normal(manager, 3, 3, SAMPLES, CLASSES);
      requireEqual(
          PerSampleLoss.softmaxCrossEntropy(),
          new NDList(manager.create(labels, shape).toType(type, true)),
          scores,
          Reference.of(doubles(scores), labels, weights, 1, CLASSES),
          1e-5);
    }
  }

  @Test
  void softmaxCrossEntropy_labelsOfBytesAndTruthValues_areClassNumbers() {
    NDArray scores = OneStep.normal(manager, 3, 3, SAMPLES, 2);
    float[] expected =
        PerSampleLoss.softmaxCrossEntropy()
            .evaluate(new NDList(manager.create(new long[] {1, 0, 1})), new NDList(scores))
            .toFloatArray();
    for (DataType type : new DataType[] {DataType.UINT8, DataType.BOOLEAN}) {
      NDArray labels = manager.create(new long[] {1, 0, 1}).toType(type, true);
      assertThat(
              PerSampleLoss.softmaxCrossEntropy()
                  .evaluate(new NDList(labels), new NDList(scores))
                  .toFloatArray())
          .containsExactly(expected);
    }
  }

  // ---------------------------------------------------------------- errors

  private void requireRefused(PerSampleLoss loss, NDList labels, NDArray scores, String... parts) {
    assertThatThrownBy(() -> loss.evaluate(labels, new NDList(scores)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll(parts);
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(floats = {5, -1, -99, 1.5f, Float.NaN, Float.POSITIVE_INFINITY, 1e20f})
  void crossEntropy_labelThatIsNoClass_namesTheLossAndTheRangeAndNotTheLabel(float label) {
    NDArray labels = manager.create(new float[] {0, label, 1});
    NDArray scores = OneStep.normal(manager, 3, 3, SAMPLES, CLASSES);
    for (boolean whole : new boolean[] {false, true}) {
      if (whole && (label != Math.rint(label) || Math.abs(label) > 100)) {
        continue;
      }
      NDArray given = whole ? labels.toType(DataType.INT64, true) : labels;
      requireRefused(
          PerSampleLoss.softmaxCrossEntropy(),
          new NDList(given),
          scores,
          "labels of softmaxCrossEntropy must be whole numbers in [0, 5), or -100",
          "got another number; ");
      requireRefused(
          PerSampleLoss.sequenceCrossEntropy(),
          new NDList(given.expandDims(1)),
          scores.expandDims(1),
          "labels of sequenceCrossEntropy must be whole numbers in [0, 5)");
    }
  }

  @Test
  void softmaxCrossEntropy_oneClass_isRefusedWithARemedy() {
    requireRefused(
        PerSampleLoss.softmaxCrossEntropy(),
        new NDList(manager.zeros(new Shape(SAMPLES))),
        manager.zeros(new Shape(SAMPLES, 1)),
        "at least 2 classes",
        "got 1",
        "sigmoidBinaryCrossEntropy()",
        "l2()");
  }

  @Test
  void softmaxCrossEntropy_oneHotLabels_namesTheLossForThem() {
    requireRefused(
        PerSampleLoss.softmaxCrossEntropy(),
        new NDList(manager.eye(SAMPLES, CLASSES, 0, DataType.FLOAT32)),
        manager.zeros(new Shape(SAMPLES, CLASSES)),
        "got (B, 5)",
        "softmaxCrossEntropyOfProbabilities()");
  }

  @Test
  void softmaxCrossEntropy_twoOutputs_saysSo() {
    NDArray scores = manager.zeros(new Shape(SAMPLES, CLASSES));
    assertThatThrownBy(
            () ->
                PerSampleLoss.softmaxCrossEntropy()
                    .evaluate(
                        new NDList(manager.zeros(new Shape(SAMPLES))), new NDList(scores, scores)))
        .hasMessageContainingAll("must be one array, got 2", "optLoss");
  }

  @Test
  void crossEntropy_noLabels_saysSo() {
    requireRefused(
        PerSampleLoss.softmaxCrossEntropy(),
        new NDList(),
        manager.zeros(new Shape(SAMPLES, CLASSES)),
        "labels of softmaxCrossEntropy must not be empty");
  }

  @Test
  void crossEntropy_lostSampleAxis_speaksOfSqueeze() {
    requireRefused(
        PerSampleLoss.softmaxCrossEntropy(),
        new NDList(manager.zeros(new Shape(1))),
        manager.zeros(new Shape(CLASSES)),
        "predictions of softmaxCrossEntropy must have shape (B, C), got (?) without the B samples",
        "squeeze()");
  }
}
