/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;

/**
 * Takes the contributions of a {@link GhostRule} to the per-sample gradients of one micro-batch.
 *
 * <p>A rule adds one contribution for each use of a parameter in the forward pass, and a
 * parameter's gradient is the sum of its contributions: where a layer runs twice, or two layers
 * share a parameter, the norm has the cross terms. All contributions to a parameter are of one
 * form:
 *
 * <ul>
 *   <li>matrix: {@link #addLinear} and {@link #addRows}, which may be used for one parameter;
 *   <li>convolution: {@link #addConvolution};
 *   <li>dense: {@link #addPositionSum}, {@link #addBroadcast}, {@link #addScale} and {@link
 *       #addDense}, which form the gradient.
 * </ul>
 *
 * <p>B is the number of samples. Where each sample is V views, arrays may have B V rows on their
 * first axis in place of B, a sample's views next to each other. A rule need not know: gradients of
 * a sample's views are summed. Arrays that were added belong to this object and may be closed by
 * it.
 */
public interface Contributions {
  /**
   * Converts an array to the type that {@link #addDense} asks for.
   *
   * @param array any floating-point type
   * @return the array in float32; the same array if it is
   */
  NDArray inFloat32(NDArray array);

  /**
   * Adds a linear use of a weight, \(\sum_t g_t a_t^\top\).
   *
   * @param weight (p, d)
   * @param input (B, ..., d), the rows \(a_t\)
   * @param outputGradient (B, ..., p), the rows \(g_t\)
   * @throws IllegalArgumentException if the shapes do not fit
   */
  void addLinear(Parameter weight, NDArray input, NDArray outputGradient);

  /**
   * Adds a use of a table by rows: \(g_t\) is added to row \(id_t\).
   *
   * @param table (V, d)
   * @param ids (B, ...), numbers of rows
   * @param outputGradient (B, ..., d), the rows \(g_t\)
   * @throws IllegalArgumentException if the shapes do not fit
   */
  void addRows(Parameter table, NDArray ids, NDArray outputGradient);

  /**
   * Adds a use of a convolution's weight in any number of dimensions: \(\sum_t g_t \otimes x_t\),
   * where \(x_t\) is the patch of the input that gives output position t.
   *
   * @param weight (p, c, kernel), where c is the number of channels of one group
   * @param input (B, groups * c, ...)
   * @param outputGradient (B, p, ...)
   * @param geometry how the weight moves over the input; padding is by zeros
   * @throws IllegalArgumentException if the shapes do not fit
   */
  void addConvolution(
      Parameter weight, NDArray input, NDArray outputGradient, ConvolutionGeometry geometry);

  /**
   * Adds a use of a parameter as a convolution's weight that has another shape.
   *
   * @param weight the parameter
   * @param shape (p, c, kernel), with as many elements as the parameter
   * @param input (B, groups * c, ...)
   * @param outputGradient (B, p, ...)
   * @param geometry how the weight moves over the input; padding is by zeros
   * @throws IllegalArgumentException if the shapes do not fit
   */
  void addConvolution(
      Parameter weight,
      Shape shape,
      NDArray input,
      NDArray outputGradient,
      ConvolutionGeometry geometry);

  /**
   * Adds a use of a parameter that was added at every position, over its last axes: \(\sum_t g_t\).
   *
   * @param vector any shape
   * @param outputGradient (B, ..., shape of the parameter), the gradients \(g_t\)
   * @throws IllegalArgumentException if the shapes do not fit
   */
  void addPositionSum(Parameter vector, NDArray outputGradient);

  /**
   * Adds a use of a parameter that was added by broadcasting: the output gradient, summed over the
   * axes along which the parameter was repeated. Axes are aligned from the last; a first axis of 1
   * for the samples may be part of the parameter's shape.
   *
   * @param parameter any shape that broadcasts to the output gradient's
   * @param outputGradient (B, ...)
   * @throws IllegalArgumentException if the shapes do not fit
   */
  void addBroadcast(Parameter parameter, NDArray outputGradient);

  /**
   * Adds a use of a parameter that was added by broadcasting, in another shape: the output
   * gradient, summed over the axes along which it was repeated.
   *
   * @param parameter the parameter
   * @param aligned its shape in the addition, without an axis for the samples: (C, 1, 1) for a
   *     vector beside images (B, C, H, W)
   * @param outputGradient (B, ...)
   * @throws IllegalArgumentException if the shapes do not fit
   */
  void addBroadcast(Parameter parameter, Shape aligned, NDArray outputGradient);

  /**
   * Adds a use of a scale after a layer normalisation over the last axes, {@link
   * ai.djl.nn.norm.LayerNorm}'s: \(\sum_t g_t \odot \hat x_t\), where \(\hat x_t\) is the input at
   * position t, normalised.
   *
   * @param scale any shape
   * @param input (B, ..., shape of the scale), not normalised
   * @param outputGradient of the same shape, the gradients \(g_t\)
   * @param epsilon the number that is added to the variance
   * @throws IllegalArgumentException if the shapes do not fit
   */
  void addScale(Parameter scale, NDArray input, NDArray outputGradient, double epsilon);

  /**
   * Adds per-sample gradients that the rule has formed.
   *
   * @param parameter any shape
   * @param perSample (B, shape of the parameter), float32
   * @throws IllegalArgumentException if the shapes do not fit, or the type is not float32
   */
  void addDense(Parameter parameter, NDArray perSample);
}
