/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.rule;

import ai.djl.ndarray.types.Shape;
import ai.djl.nn.convolutional.Convolution;
import java.util.stream.LongStream;

/**
 * How a convolution's weight moves over its input: one number for each spatial dimension, and the
 * groups of channels.
 *
 * @param stride positions between neighbouring outputs
 * @param padding zeros on both sides of the input
 * @param dilation positions between neighbouring elements of the kernel
 * @param groups groups of channels that do not see each other
 */
public record ConvolutionGeometry(Shape stride, Shape padding, Shape dilation, int groups) {

  /**
   * Checks that the three shapes have the same number of dimensions.
   *
   * @param stride each >= 1
   * @param padding each >= 0
   * @param dilation each >= 1
   * @param groups >= 1
   * @throws IllegalArgumentException if the numbers of dimensions differ or a number is out of
   *     range
   */
  public ConvolutionGeometry {
    int dimensions = stride.dimension();
    if (padding.dimension() != dimensions || dilation.dimension() != dimensions) {
      throw new IllegalArgumentException(
          "stride, padding and dilation must have one number for each dimension, got "
              + stride
              + ", "
              + padding
              + " and "
              + dilation);
    }
    if (groups < 1
        || LongStream.concat(LongStream.of(stride.getShape()), LongStream.of(dilation.getShape()))
            .anyMatch(n -> n < 1)
        || LongStream.of(padding.getShape()).anyMatch(n -> n < 0)) {
      throw new IllegalArgumentException(
          "stride, dilation and groups must be >= 1 and padding >= 0, got "
              + stride
              + ", "
              + dilation
              + ", "
              + groups
              + " and "
              + padding);
    }
  }

  /**
   * Reads the geometry of one of DJL's convolutions.
   *
   * @param layer the layer
   * @return its geometry
   */
  public static ConvolutionGeometry of(Convolution layer) {
    return new ConvolutionGeometry(
        layer.getStride(), layer.getPadding(), layer.getDilation(), layer.getGroups());
  }
}
