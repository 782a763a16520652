/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import java.util.List;

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
public final class Contributions {
  private final Workspace workspace;
  private final UseShapes shapes;
  private final MatrixGradients matrices;
  private final ConvolutionGradients convolutions;
  private final VectorGradients vectors;
  private boolean complete;

  Contributions(Workspace workspace, UseShapes shapes) {
    this.workspace = workspace;
    this.shapes = shapes;
    matrices = new MatrixGradients(workspace, shapes);
    convolutions = new ConvolutionGradients(workspace, shapes);
    vectors = new VectorGradients(workspace, shapes);
  }

  /** Refuses contributions from now on: the norms would lack them. */
  void complete() {
    complete = true;
  }

  private void requireIncomplete(Parameter parameter) {
    if (complete) {
      throw new IllegalStateException(
          "contributions to "
              + UseShapes.describe(parameter)
              + " must come before the norms are taken, got one after; add all of a use's"
              + " contributions in the rule's contribute");
    }
  }

  /** All forms, in the order of the parameters' rows in norms and factors. */
  List<GradientForm> forms() {
    return List.of(matrices, convolutions, vectors);
  }

  /** The kernels and memory of rules that form gradients by a kernel. */
  Workspace workspace() {
    return workspace;
  }

  /** Returns the array in float32, which {@link #addDense} asks for. */
  NDArray inFloat32(NDArray array) {
    return shapes.inFloat32(array);
  }

  /**
   * Adds a linear use of a weight, \(\sum_t g_t a_t^\top\).
   *
   * @param weight (p, d)
   * @param input (B, ..., d), the rows \(a_t\)
   * @param outputGradient (B, ..., p), the rows \(g_t\)
   * @throws IllegalArgumentException if the shapes do not fit
   */
  public void addLinear(Parameter weight, NDArray input, NDArray outputGradient) {
    requireIncomplete(weight);
    matrices.addLinear(weight, input, outputGradient);
  }

  /**
   * Adds a use of a table by rows: \(g_t\) is added to row \(id_t\).
   *
   * @param table (V, d)
   * @param ids (B, ...), numbers of rows
   * @param outputGradient (B, ..., d), the rows \(g_t\)
   * @throws IllegalArgumentException if the shapes do not fit
   */
  public void addRows(Parameter table, NDArray ids, NDArray outputGradient) {
    requireIncomplete(table);
    matrices.addRows(table, ids, outputGradient);
  }

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
  public void addConvolution(
      Parameter weight, NDArray input, NDArray outputGradient, ConvolutionGeometry geometry) {
    requireIncomplete(weight);
    convolutions.add(weight, weight.getShape(), input, outputGradient, geometry);
  }

  /** Adds a use of a parameter as a convolution's weight that has the given shape. */
  void addConvolution(
      Parameter weight,
      Shape shape,
      NDArray input,
      NDArray outputGradient,
      ConvolutionGeometry geometry) {
    requireIncomplete(weight);
    convolutions.add(weight, shape, input, outputGradient, geometry);
  }

  /**
   * Adds a use of a parameter that was added at every position, over its last axes: \(\sum_t g_t\).
   *
   * @param vector any shape
   * @param outputGradient (B, ..., shape of the parameter), the gradients \(g_t\)
   * @throws IllegalArgumentException if the shapes do not fit
   */
  public void addPositionSum(Parameter vector, NDArray outputGradient) {
    requireIncomplete(vector);
    vectors.addPositionSum(vector, outputGradient);
  }

  /**
   * Adds a use of a parameter that was added by broadcasting: the output gradient, summed over the
   * axes along which the parameter was repeated. Axes are aligned from the last; a first axis of 1
   * for the samples may be part of the parameter's shape.
   *
   * @param parameter any shape that broadcasts to the output gradient's
   * @param outputGradient (B, ...)
   * @throws IllegalArgumentException if the shapes do not fit
   */
  public void addBroadcast(Parameter parameter, NDArray outputGradient) {
    Shape shape = parameter.getShape();
    boolean withSamples =
        shape.dimension() == outputGradient.getShape().dimension() && shape.get(0) == 1;
    requireIncomplete(parameter);
    vectors.addBroadcast(parameter, withSamples ? shape.slice(1) : shape, outputGradient);
  }

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
  public void addBroadcast(Parameter parameter, Shape aligned, NDArray outputGradient) {
    requireIncomplete(parameter);
    vectors.addBroadcast(parameter, aligned, outputGradient);
  }

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
  public void addScale(Parameter scale, NDArray input, NDArray outputGradient, double epsilon) {
    requireIncomplete(scale);
    vectors.addScale(scale, input, outputGradient, epsilon);
  }

  /**
   * Adds per-sample gradients that the rule has formed.
   *
   * @param parameter any shape
   * @param perSample (B, shape of the parameter), float32
   * @throws IllegalArgumentException if the shapes do not fit, or the type is not float32
   */
  public void addDense(Parameter parameter, NDArray perSample) {
    requireIncomplete(parameter);
    vectors.addDense(parameter, perSample);
  }
}
