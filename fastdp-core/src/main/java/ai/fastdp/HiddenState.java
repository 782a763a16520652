/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.fastdp.LossRun.Mode;
import java.util.Arrays;

/**
 * Checks that a training pass over other samples leaves nothing behind that a sample's loss reads:
 * running statistics, codebooks or activations in fields of a block.
 *
 * <p>The loss of one sample is computed before and after a training pass over others, in inference
 * mode where the model runs in it, else in training mode. It is an error if it differs after each
 * of several such passes and does not without them. A model whose loss is random is not checked;
 * what is written into parameters is watched in every pass ({@link ParameterWatch}).
 */
final class HiddenState {
  private static final int REPEATS = 8;

  private final LossRun runs;

  HiddenState(LossRun runs) {
    this.runs = runs;
  }

  /**
   * Runs the check.
   *
   * @param data at least two samples
   * @throws IllegalStateException if it fails
   */
  void run(NDManager parent, NDList data, NDList labels, int samples) {
    try (NDManager manager = parent.newSubManager()) {
      long[] first = {0};
      long[] rest = new long[Math.min(samples, 16) - 1];
      Arrays.setAll(rest, i -> i + 1L);
      NDList one = runs.takeData(data, first, manager);
      NDList oneLabel = runs.takeLabels(labels, first, manager);
      NDList others = runs.takeData(data, rest, manager);
      NDList otherLabels = runs.takeLabels(labels, rest, manager);
      boolean infers =
          LossRun.attempt(() -> loss(manager, one, oneLabel, Mode.INFERENCE)).isPresent();
      Mode mode = infers ? Mode.INFERENCE : Mode.TRAINING;
      double before = loss(manager, one, oneLabel, mode);
      if (before != loss(manager, one, oneLabel, mode)) {
        return;
      }
      if (!differsAfter(manager, others, otherLabels, one, oneLabel, mode, before)) {
        return;
      }
      // A cache is filled by the sample itself in the first of these; the others must agree.
      before = loss(manager, one, oneLabel, mode);
      for (int i = 0; i < REPEATS; i++) {
        if (before != loss(manager, one, oneLabel, mode)) {
          return;
        }
      }
      for (int i = 0; i < REPEATS; i++) {
        if (!differsAfter(manager, others, otherLabels, one, oneLabel, mode, before)) {
          return;
        }
      }
      throw new IllegalStateException(
          "a forward pass must leave nothing behind that another sample's loss reads, got a loss"
              + " that changes with a training pass over other samples; remove what a block keeps"
              + " in its fields (running statistics, codebooks, the last activations)");
    }
  }

  private boolean differsAfter(
      NDManager manager,
      NDList others,
      NDList otherLabels,
      NDList one,
      NDList oneLabel,
      Mode mode,
      double before) {
    runs.recorded(manager, others, otherLabels, Mode.TRAINING, Arithmetic.OWN);
    return Tolerance.difference(before, loss(manager, one, oneLabel, mode)) > Tolerance.UNDOUBTED;
  }

  private double loss(NDManager manager, NDList one, NDList label, Mode mode) {
    return Arrays.stream(runs.recorded(manager, one, label, mode, Arithmetic.OWN).values()).sum();
  }
}
