/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.loss.Loss;
import ai.fastdp.BatchOfOneOracle;
import ai.fastdp.OneStep;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Losses for each sample against DJL's losses on batches of one. */
final class PerSampleLossTest {
  private static final int SAMPLES = 4;

  private final NDManager manager = NDManager.newBaseManager("PyTorch");
  private final NDArray scores = OneStep.normal(manager, 1, 3, SAMPLES, 5);
  private final NDArray classes = OneStep.ids(manager, 2, 5, SAMPLES);
  private final NDArray sequenceScores = OneStep.normal(manager, 3, 3, SAMPLES, 6, 5);
  private final NDArray sequence = OneStep.ids(manager, 4, 5, SAMPLES, 6);

  @AfterEach
  void close() {
    manager.close();
  }

  private static void requireEqual(
      PerSampleLoss loss, Loss reference, NDList labels, NDList predictions) {
    NDArray losses = loss.evaluate(labels, predictions);
    assertThat(losses.getShape()).isEqualTo(new Shape(SAMPLES));
    for (int i = 0; i < SAMPLES; i++) {
      NDList label = BatchOfOneOracle.row(labels, i);
      NDList prediction = BatchOfOneOracle.row(predictions, i);
      float expected = reference.evaluate(label, prediction).getFloat();
      assertThat(losses.getFloat(i))
          .isCloseTo(expected, org.assertj.core.data.Percentage.withPercentage(1e-3));
      // The same alone as among others.
      assertThat(loss.evaluate(label, prediction).getFloat(0))
          .isCloseTo(losses.getFloat(i), org.assertj.core.data.Percentage.withPercentage(1e-4));
    }
  }

  @Test
  void softmaxCrossEntropy_anySample_equalsDjl() {
    requireEqual(
        PerSampleLoss.softmaxCrossEntropy(),
        Loss.softmaxCrossEntropyLoss(),
        new NDList(classes),
        new NDList(scores));
  }

  @Test
  void sequenceCrossEntropy_withoutMask_isTheMeanOverPositions() {
    requireEqual(
        PerSampleLoss.sequenceCrossEntropy(),
        // DJL's loss takes one sequence without its sample axis.
        new Loss("sequence") {
          @Override
          public NDArray evaluate(NDList labels, NDList predictions) {
            return Loss.softmaxCrossEntropyLoss()
                .evaluate(
                    new NDList(labels.head().squeeze(0)),
                    new NDList(predictions.head().squeeze(0)));
          }
        },
        new NDList(sequence),
        new NDList(sequenceScores));
  }

  @Test
  void sequenceCrossEntropy_mask_isTheMeanOverTheSamplesOwnPositions() {
    NDArray mask =
        manager.create(
            new float[] {
              1, 1, 1, 1, 1, 1, //
              1, 0, 0, 0, 0, 0, //
              0, 0, 0, 0, 0, 0, //
              0, 1, 0, 1, 1, 0
            },
            new Shape(SAMPLES, 6));
    float[] losses =
        PerSampleLoss.sequenceCrossEntropy()
            .evaluate(new NDList(sequence, mask), new NDList(sequenceScores))
            .toFloatArray();
    NDArray logs = sequenceScores.logSoftmax(-1);
    float[] weights = mask.toFloatArray();
    for (int i = 0; i < SAMPLES; i++) {
      double sum = 0;
      double count = 0;
      for (int t = 0; t < 6; t++) {
        if (weights[6 * i + t] == 1) {
          sum -= logs.getFloat(i, t, sequence.getLong(i, t));
          count++;
        }
      }
      assertThat(losses[i])
          .isCloseTo(
              (float) (sum / Math.max(1, count)), org.assertj.core.data.Offset.offset(1e-5f));
    }
    assertThat(losses[2]).isZero();
  }

  @Test
  void eachSample_djlLosses_equalThemOnBatchesOfOne() {
    requireEqual(
        PerSampleLoss.eachSample(Loss.softmaxCrossEntropyLoss()),
        Loss.softmaxCrossEntropyLoss(),
        new NDList(classes),
        new NDList(scores));
    NDList other = new NDList(OneStep.normal(manager, 9, 1, SAMPLES, 5));
    requireEqual(PerSampleLoss.eachSample(Loss.l2Loss()), Loss.l2Loss(), other, new NDList(scores));
    requireEqual(PerSampleLoss.eachSample(Loss.l1Loss()), Loss.l1Loss(), other, new NDList(scores));
  }

  @Test
  @SuppressWarnings("try") // The collector switches gradients on while it is open.
  void eachSample_oneSample_keepsTheGraph() {
    NDArray one = scores.get("0:1");
    one.setRequiresGradient(true);
    try (ai.djl.training.GradientCollector collector = manager.getEngine().newGradientCollector()) {
      NDArray losses =
          PerSampleLoss.eachSample(Loss.softmaxCrossEntropyLoss())
              .evaluate(new NDList(classes.get("0:1")), new NDList(one.mul(1)));
      assertThat(losses.getShape().dimension()).isEqualTo(1);
      collector.backward(losses.sum());
    }
    assertThat(one.getGradient().abs().sum().getFloat()).isPositive();
  }

  @Test
  void onSampleAxes_timeMajorScores_equalSamplesFirstOnes() {
    PerSampleLoss loss = PerSampleLoss.onSampleAxes(1, 0, PerSampleLoss.sequenceCrossEntropy());
    assertThat(
            loss.evaluate(new NDList(sequence), new NDList(sequenceScores.transpose(1, 0, 2)))
                .toFloatArray())
        .containsExactly(
            PerSampleLoss.sequenceCrossEntropy()
                .evaluate(new NDList(sequence), new NDList(sequenceScores))
                .toFloatArray());
  }

  @Test
  void eachSample_lossOfSeveralNumbers_isRefused() {
    Loss several =
        new Loss("several") {
          @Override
          public NDArray evaluate(NDList labels, NDList predictions) {
            return predictions.head();
          }
        };
    assertThatThrownBy(
            () ->
                PerSampleLoss.eachSample(several).evaluate(new NDList(classes), new NDList(scores)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("(1, 5)", "several");
  }

  @Test
  void crossEntropy_wrongRanks_areRefused() {
    assertThatThrownBy(
            () ->
                PerSampleLoss.softmaxCrossEntropy()
                    .evaluate(new NDList(classes), new NDList(sequenceScores)))
        .hasMessageContaining("predictions of softmaxCrossEntropy must have shape (B, C)");
    assertThatThrownBy(
            () ->
                PerSampleLoss.softmaxCrossEntropy()
                    .evaluate(new NDList(sequence), new NDList(scores)))
        .hasMessageContaining("labels of softmaxCrossEntropy must have shape (B)");
    assertThatThrownBy(
            () ->
                PerSampleLoss.sequenceCrossEntropy()
                    .evaluate(new NDList(sequence), new NDList(scores)))
        .hasMessageContaining("predictions of sequenceCrossEntropy must have shape (B, T, C)");
    assertThatThrownBy(
            () ->
                PerSampleLoss.sequenceCrossEntropy()
                    .evaluate(new NDList(sequence, classes), new NDList(sequenceScores)))
        .hasMessageContaining("mask of sequenceCrossEntropy must have shape (B, T)");
  }
}
