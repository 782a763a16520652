/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.List;

/**
 * The axis of an array that holds its samples.
 *
 * @param number the axis, from 0
 */
public record SampleAxis(int number) {
  /** Samples on the first axis, as DJL's own batches and most layers have them. */
  public static final SampleAxis FIRST = new SampleAxis(0);

  /**
   * Validates the axis.
   *
   * @param number at least 0
   * @throws IllegalArgumentException if it is negative
   */
  public SampleAxis {
    if (number < 0) {
      throw new IllegalArgumentException(
          "sample axis must be >= 0, got " + number + "; count axes from the front");
    }
  }

  /**
   * Returns whether an array has this number of samples on this axis.
   *
   * @param array the array
   * @param samples the number of samples
   * @return false also if the array has no such axis
   */
  public boolean holds(NDArray array, long samples) {
    return array.getShape().dimension() > number && array.getShape().get(number) == samples;
  }

  /**
   * Describes the shape of an array for an error. The number of samples is private, so that B
   * stands in its place. If the samples are not on this axis, the length of any axis may reveal
   * their number: then a question mark stands for each.
   *
   * @param shape the shape
   * @param samples the number of samples
   * @return the text, to follow "got"
   */
  public String describe(Shape shape, long samples) {
    int axes = shape.dimension();
    boolean here = axes > number && shape.get(number) == samples;
    List<String> lengths = new ArrayList<>();
    for (int i = 0; i < axes; i++) {
      lengths.add(!here ? "?" : i == number ? "B" : String.valueOf(shape.get(i)));
    }
    String all = "(" + String.join(", ", lengths) + ")";
    return here ? all : all + " without the B samples on axis " + number;
  }

  /**
   * Views an array with the samples on the first axis and the other axes in their order.
   *
   * @param array an array with its samples on this axis
   * @return the view; the array itself if this is the first axis
   */
  public NDArray toFirst(NDArray array) {
    if (number == 0) {
      return array;
    }
    int[] order = new int[array.getShape().dimension()];
    order[0] = number;
    for (int i = 1; i < order.length; i++) {
      order[i] = i <= number ? i - 1 : i;
    }
    return array.transpose(order);
  }

  /**
   * Inverts {@link #toFirst}.
   *
   * @param array an array with its samples on the first axis
   * @return a view with the samples on this axis
   */
  public NDArray fromFirst(NDArray array) {
    if (number == 0) {
      return array;
    }
    int[] order = new int[array.getShape().dimension()];
    for (int i = 0; i < order.length; i++) {
      order[i] = i < number ? i + 1 : i;
    }
    order[number] = 0;
    return array.transpose(order);
  }

  /**
   * Views a range of the samples.
   *
   * @param array an array with its samples on this axis
   * @param from the first sample
   * @param to the sample after the last
   * @return a view of these samples
   */
  public NDArray slice(NDArray array, long from, long to) {
    return array.get(new NDIndex().addAllDim(number).addSliceDim(from, to));
  }

  /**
   * Returns a shape without this axis.
   *
   * @param shape that of an array whose samples are on this axis
   * @return the other axes, in order
   */
  public Shape without(Shape shape) {
    return shape.slice(0, number).addAll(shape.slice(number + 1));
  }
}
