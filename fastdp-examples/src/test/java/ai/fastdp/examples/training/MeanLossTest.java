/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.fastdp.loss.PerSampleLoss;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class MeanLossTest {

  private static final long[][] TARGETS = {{0, 3, 1}, {2, 2, 0}, {1, 1, 1}};
  private static final float[][] MASK = {{0, 1, 1}, {1, 0, 0}, {0, 0, 0}};

  private static final PerSampleLoss SEQUENCE = PerSampleLoss.sequenceCrossEntropy();

  private final NDManager manager = NDManager.newBaseManager("PyTorch");

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void perSample_equalsTheSumWrittenOut() {
    NDArray logits = manager.randomNormal(new Shape(3, 3, 4)).mul(3f);
    float[] values = logits.toFloatArray();
    double[] expected = new double[3];
    for (int i = 0; i < 3; i++) {
      double total = 0;
      double places = 0;
      for (int t = 0; t < 3; t++) {
        int row = (i * 3 + t) * 4;
        double normalizer = 0;
        for (int v = 0; v < 4; v++) {
          normalizer += Math.exp(values[row + v]);
        }
        total += MASK[i][t] * (Math.log(normalizer) - values[row + (int) TARGETS[i][t]]);
        places += MASK[i][t];
      }
      expected[i] = total / Math.max(1, places);
    }
    NDList labels = new NDList(manager.create(TARGETS), manager.create(MASK));
    float[] losses = SEQUENCE.evaluate(labels, new NDList(logits)).toFloatArray();
    for (int i = 0; i < 3; i++) {
      assertThat((double) losses[i]).isCloseTo(expected[i], within(1e-5));
    }
    assertThat(losses[2]).isZero();
    assertThat((double) new MeanLoss(SEQUENCE).evaluate(labels, new NDList(logits)).getFloat())
        .isCloseTo((expected[0] + expected[1] + expected[2]) / 3, within(1e-5));
  }
}
