/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.fastdp.rule.Contributions;
import ai.fastdp.rule.ConvolutionGeometry;
import java.util.List;

/** Sorts the contributions of rules to one micro-batch by their forms. */
final class FactoredContributions implements Contributions {
  private final Workspace workspace;
  private final UseShapes shapes;
  private final MatrixGradients matrices;
  private final ConvolutionGradients convolutions;
  private final VectorGradients vectors;
  private boolean complete;

  FactoredContributions(Workspace workspace, UseShapes shapes) {
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

  @Override
  public NDArray inFloat32(NDArray array) {
    return shapes.inFloat32(array);
  }

  @Override
  public void addLinear(Parameter weight, NDArray input, NDArray outputGradient) {
    requireIncomplete(weight);
    matrices.addLinear(weight, input, outputGradient);
  }

  @Override
  public void addRows(Parameter table, NDArray ids, NDArray outputGradient) {
    requireIncomplete(table);
    matrices.addRows(table, ids, outputGradient);
  }

  @Override
  public void addConvolution(
      Parameter weight, NDArray input, NDArray outputGradient, ConvolutionGeometry geometry) {
    requireIncomplete(weight);
    convolutions.add(weight, weight.getShape(), input, outputGradient, geometry);
  }

  @Override
  public void addConvolution(
      Parameter weight,
      Shape shape,
      NDArray input,
      NDArray outputGradient,
      ConvolutionGeometry geometry) {
    requireIncomplete(weight);
    convolutions.add(weight, shape, input, outputGradient, geometry);
  }

  @Override
  public void addPositionSum(Parameter vector, NDArray outputGradient) {
    requireIncomplete(vector);
    vectors.addPositionSum(vector, outputGradient);
  }

  @Override
  public void addBroadcast(Parameter parameter, NDArray outputGradient) {
    Shape shape = parameter.getShape();
    boolean withSamples =
        shape.dimension() == outputGradient.getShape().dimension() && shape.get(0) == 1;
    requireIncomplete(parameter);
    vectors.addBroadcast(parameter, withSamples ? shape.slice(1) : shape, outputGradient);
  }

  @Override
  public void addBroadcast(Parameter parameter, Shape aligned, NDArray outputGradient) {
    requireIncomplete(parameter);
    vectors.addBroadcast(parameter, aligned, outputGradient);
  }

  @Override
  public void addScale(Parameter scale, NDArray input, NDArray outputGradient, double epsilon) {
    requireIncomplete(scale);
    vectors.addScale(scale, input, outputGradient, epsilon);
  }

  @Override
  public void addDense(Parameter parameter, NDArray perSample) {
    requireIncomplete(parameter);
    vectors.addDense(parameter, perSample);
  }
}
