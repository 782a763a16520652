/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.fastdp.rule.Contributions;
import ai.fastdp.rule.ConvolutionGeometry;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Gradients of convolutions' weights (p, c, kernel), kept as inputs (B, C, ...) and output
 * gradients (B, p, ...), or formed for their norms and kept where memory allows.
 *
 * <p>On the patches of the input that the kernel meets, a convolution is a linear map: the norms
 * follow as in {@link MatrixGradients}.
 */
final class ConvolutionGradients implements GradientForm {
  private final Workspace workspace;
  private final UseShapes shapes;
  private final Map<Parameter, ConvolutionUses> convolutions = new LinkedHashMap<>();

  ConvolutionGradients(Workspace workspace, UseShapes shapes) {
    this.workspace = workspace;
    this.shapes = shapes;
  }

  /**
   * Adds a use of a parameter as the weight of a convolution; see {@link
   * Contributions#addConvolution}.
   *
   * @param shape (p, c, kernel), the parameter's shape in the convolution
   */
  void add(
      Parameter weight,
      Shape shape,
      NDArray input,
      NDArray outputGradient,
      ConvolutionGeometry geometry) {
    NDArray inputs = shapes.bySample(shapes.inFloat32(input));
    NDArray gradients = shapes.bySample(shapes.inFloat32(outputGradient));
    if (input.getShape().get(0) != inputs.getShape().get(0)) {
      // The kernel is used once for each view of all samples.
      for (long v = 0; v < shapes.views(); v++) {
        NDIndex view = new NDIndex().addAllDim().addIndices(v);
        add(weight, shape, inputs.get(view), gradients.get(view), geometry);
      }
      return;
    }
    if (!fits(geometry, shape, inputs.getShape(), gradients.getShape())
        || input.getShape().get(0) != shapes.batchSize()) {
      throw shapes.misfit(weight, "a convolution with " + geometry, input, outputGradient);
    }
    convolutions
        .computeIfAbsent(weight, p -> new ConvolutionUses(p, shape))
        .add(inputs, gradients, geometry);
  }

  @Override
  public String name() {
    return "convolution";
  }

  @Override
  public List<Parameter> parameters() {
    return List.copyOf(convolutions.keySet());
  }

  /** Computes the norms of complete weights: gradients that are formed for it may be kept. */
  @Override
  public void settle(Predicate<Parameter> complete) {
    convolutions.values().stream()
        .filter(uses -> complete.test(uses.weight()))
        .forEach(this::resolve);
  }

  @Override
  public void addNeededArrays(Set<NDArray> needed) {
    convolutions.values().stream()
        .filter(uses -> !uses.isFormed())
        .forEach(uses -> needed.addAll(uses.arrays()));
  }

  @Override
  public NDArray squaredNorms() {
    NDList parts = new NDList();
    for (ConvolutionUses uses : convolutions.values()) {
      resolve(uses);
      parts.add(uses.squaredNorms());
    }
    return parts.size() == 1 ? parts.head() : NDArrays.concat(parts, 0);
  }

  @Override
  public void addWeightedSums(NDArray factors, NDArray keep, List<NDArray> targets) {
    int row = 0;
    for (ConvolutionUses uses : convolutions.values()) {
      resolve(uses);
      uses.addWeightedSum(workspace, factors.get(row), keep, targets.get(row));
      row++;
    }
  }

  private void resolve(ConvolutionUses uses) {
    if (uses.isResolved()) {
      return;
    }
    long held = uses.size();
    uses.resolve(workspace, held + workspace.keepBudget());
    if (uses.isFormed()) {
      workspace.replace(held, uses.formedSize());
      uses.arrays().stream().filter(array -> !isUsedBesides(uses, array)).forEach(NDArray::close);
    }
  }

  private boolean isUsedBesides(ConvolutionUses uses, NDArray array) {
    return convolutions.values().stream()
        .filter(other -> other != uses)
        .anyMatch(other -> other.arrays().stream().anyMatch(a -> a == array));
  }

  /** Returns whether a weight (p, c, kernel) that moves over this input gives this output shape. */
  private static boolean fits(
      ConvolutionGeometry geometry, Shape weight, Shape input, Shape output) {
    int n = geometry.stride().dimension();
    if (weight.dimension() != n + 2
        || input.dimension() != n + 2
        || output.dimension() != n + 2
        || weight.get(0) % geometry.groups() != 0
        || input.get(0) != output.get(0)
        || input.get(1) != geometry.groups() * weight.get(1)
        || output.get(1) != weight.get(0)) {
      return false;
    }
    for (int i = 0; i < n; i++) {
      long window = geometry.dilation().get(i) * (weight.get(2 + i) - 1) + 1;
      if (output.get(2 + i)
          != (input.get(2 + i) + 2 * geometry.padding().get(i) - window) / geometry.stride().get(i)
              + 1) {
        return false;
      }
    }
    return true;
  }
}
