/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.kernel;

import ai.djl.ndarray.NDArray;
import java.util.ArrayList;
import java.util.List;

/** The uses of one matrix (p, d) in a forward pass, as {@link MatrixKernels} take them. */
public final class MatrixUses {
  private final long rows;
  private final long width;
  private final List<NDArray> inputs = new ArrayList<>();
  private final List<NDArray> outputGradients = new ArrayList<>();
  private final List<NDArray> ids = new ArrayList<>();
  private final List<NDArray> rowGradients = new ArrayList<>();

  /**
   * Creates the uses of a matrix, none yet.
   *
   * @param rows p
   * @param width d
   */
  public MatrixUses(long rows, long width) {
    this.rows = rows;
    this.width = width;
  }

  /**
   * Adds a linear use.
   *
   * @param input (B, T, d)
   * @param outputGradient (B, T, p)
   */
  public void addLinear(NDArray input, NDArray outputGradient) {
    inputs.add(input);
    outputGradients.add(outputGradient);
  }

  /**
   * Adds a use by rows.
   *
   * @param rowIds (B, T) int64, the numbers of the rows
   * @param rowGradient (B, T, d), the gradients of the rows
   */
  public void addRows(NDArray rowIds, NDArray rowGradient) {
    ids.add(rowIds);
    rowGradients.add(rowGradient);
  }

  long rows() {
    return rows;
  }

  long width() {
    return width;
  }

  List<NDArray> inputs() {
    return inputs;
  }

  List<NDArray> outputGradients() {
    return outputGradients;
  }

  List<NDArray> ids() {
    return ids;
  }

  List<NDArray> rowGradients() {
    return rowGradients;
  }
}
