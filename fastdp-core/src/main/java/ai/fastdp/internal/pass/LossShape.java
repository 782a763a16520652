/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.pass;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.List;

/**
 * The shape that a loss must have: one number for each row of a batch.
 *
 * @param rows the number of rows, which is private
 * @param row what a row is, a sample or a view
 */
public record LossShape(long rows, String row) {
  /**
   * Checks the shape of losses.
   *
   * @throws IllegalArgumentException if it is another one
   */
  public void require(NDArray losses) {
    if (!losses.getShape().equals(new Shape(rows))) {
      throw new IllegalArgumentException(
          "loss must have shape (B), one number for each "
              + row
              + ", got "
              + text(losses.getShape())
              + "; do not average over the batch (see PerSampleLoss)");
    }
  }

  /** Any axis of a wrong loss may be as long as the batch, so that lengths but 1 are not told. */
  private String text(Shape shape) {
    List<String> lengths = new ArrayList<>();
    for (int i = 0; i < shape.dimension(); i++) {
      boolean batch = i == 0 && shape.get(i) == rows;
      lengths.add(batch ? "B" : shape.get(i) == 1 ? "1" : "n");
    }
    return "(" + String.join(", ", lengths) + ")";
  }
}
