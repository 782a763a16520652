/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.fastdp.internal.hook.SampleAxis;

/**
 * Checks the shapes of the arrays that rules add, and views the arrays by sample.
 *
 * <p>A micro-batch has B samples of V views each. An array may have B V rows on its first axis in
 * place of B, a sample's views next to each other.
 */
final class UseShapes {
  private final NDManager manager;
  private final long batchSize;
  private final long views;

  /**
   * @param manager owns the views of arrays
   */
  UseShapes(NDManager manager, long batchSize, long views) {
    this.manager = manager;
    this.batchSize = batchSize;
    this.views = views;
  }

  /** The number of samples B. */
  long batchSize() {
    return batchSize;
  }

  /** The number of views V of each sample. */
  long views() {
    return views;
  }

  /** Views an array (B V, ...) as (B, V, ...); returns any other as it is. */
  NDArray bySample(NDArray array) {
    if (views == 1 || array.getShape().get(0) != batchSize * views) {
      return array;
    }
    return owned(array.reshape(new Shape(batchSize, views).addAll(array.getShape().slice(1))));
  }

  /** Views an array (B, ..., width) as (B, T, width). */
  NDArray positions(Parameter parameter, String what, NDArray array, long width) {
    requireWhole(parameter, what, array, width);
    long row = batchSize * width;
    return owned(array.reshape(batchSize, row == 0 ? 0 : array.size() / row, width));
  }

  /** Returns the array in float32; nothing is computed in half precision. */
  NDArray inFloat32(NDArray array) {
    return array.getDataType() == DataType.FLOAT32
        ? array
        : owned(array.toType(DataType.FLOAT32, false));
  }

  /** Hands an array to the manager of the micro-batch's temporaries. */
  NDArray owned(NDArray array) {
    array.attach(manager);
    return array;
  }

  void requireWhole(Parameter parameter, String what, NDArray array, long width) {
    long row = batchSize * width;
    boolean whole = row == 0 ? array.size() == 0 : array.size() % row == 0;
    if (array.getShape().get(0) != batchSize || !whole) {
      throw new IllegalArgumentException(
          what
              + " of "
              + describe(parameter)
              + " must have the samples (B) and, last, "
              + width
              + " elements, got "
              + SampleAxis.FIRST.describe(array.getShape(), batchSize)
              + "; correct the layer's rule");
    }
  }

  static void requireRank(Parameter parameter, int rank) {
    if (parameter.getShape().dimension() != rank) {
      throw new IllegalArgumentException(
          describe(parameter)
              + " must have "
              + rank
              + " axes for this use, got "
              + parameter.getShape().dimension()
              + "; correct the layer's rule");
    }
  }

  IllegalArgumentException misfit(
      Parameter parameter, String condition, NDArray input, NDArray outputGradient) {
    return new IllegalArgumentException(
        "use of "
            + describe(parameter)
            + " must be "
            + condition
            + ", got input "
            + text(input)
            + " and output gradient "
            + text(outputGradient)
            + "; correct the layer's rule");
  }

  /** The shape of an array that a rule gave, without the number of samples. */
  String text(NDArray array) {
    return SampleAxis.FIRST.describe(array.getShape(), batchSize * views);
  }

  static String describe(Parameter parameter) {
    return "parameter '" + parameter.getName() + "' " + parameter.getShape();
  }
}
