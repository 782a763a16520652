/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.fastdp.internal.kernel.ConvolutionKernels;
import ai.fastdp.rule.ConvolutionGeometry;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/**
 * The uses of one convolution weight in a forward pass.
 *
 * <p>Per-sample gradients that were formed for their norms are kept where they fit in memory: their
 * weighted sum then replaces a second convolution.
 */
final class ConvolutionUses {
  private final Parameter weight;
  private final Shape shape;
  private final List<NDArray> inputs = new ArrayList<>();
  private final List<NDArray> outputGradients = new ArrayList<>();
  private final List<ConvolutionGeometry> geometries = new ArrayList<>();
  private @Nullable NDArray squaredNorms;
  // Squared norms (B), and the samples whose gradients must be formed in float64.
  private List<NDArray> norms = List.of();
  private List<NDArray> formed = List.of();

  ConvolutionUses(Parameter weight, Shape shape) {
    this.weight = weight;
    this.shape = shape;
  }

  Parameter weight() {
    return weight;
  }

  /**
   * Adds a use.
   *
   * @throws IllegalStateException if the norms have been taken: they would lack the use
   */
  void add(NDArray input, NDArray outputGradient, ConvolutionGeometry geometry) {
    if (isResolved()) {
      throw new IllegalStateException(
          "all uses of parameter '"
              + weight.getName()
              + "' "
              + shape
              + " must come before its norms are taken, got one after; a rule contributes to its"
              + " layer's own parameters: share the parameter between the layers");
    }
    inputs.add(input);
    outputGradients.add(outputGradient);
    geometries.add(geometry);
  }

  boolean isResolved() {
    return squaredNorms != null;
  }

  /**
   * Computes the norms.
   *
   * @param keepBudget the most elements that formed gradients may have to be kept
   */
  void resolve(Workspace workspace, long keepBudget) {
    NDList result =
        workspace
            .convolutions()
            .squaredNorms(workspace.manager(), uses(), keepBudget, workspace.maxElements());
    squaredNorms = result.get(0).expandDims(0);
    norms = List.copyOf(result.subList(0, 2));
    formed = List.copyOf(result.subList(2, result.size()));
  }

  /** Squared norms (1, B). */
  NDArray squaredNorms() {
    return Objects.requireNonNull(squaredNorms, "resolve comes first");
  }

  /**
   * Returns whether the formed gradients are kept, so that inputs and output gradients can be
   * closed.
   */
  boolean isFormed() {
    return !formed.isEmpty();
  }

  /** Adds the weighted sum of the gradients. */
  void addWeightedSum(Workspace workspace, NDArray factors, NDArray keep, NDArray target) {
    if (isFormed()) {
      workspace.convolutions().addFormedSum(formed, factors, keep, target);
      return;
    }
    workspace
        .convolutions()
        .addWeightedSum(
            uses(),
            norms.get(0),
            norms.get(1),
            factors,
            keep,
            target.reshape(shape),
            workspace.maxElements());
  }

  /** The inputs and output gradients of all uses. */
  List<NDArray> arrays() {
    List<NDArray> all = new ArrayList<>(inputs);
    all.addAll(outputGradients);
    return all;
  }

  /** The number of elements of the inputs and output gradients. */
  long size() {
    return elements(arrays());
  }

  /** The number of elements of the gradients that are kept. */
  long formedSize() {
    return elements(formed);
  }

  private static long elements(List<NDArray> arrays) {
    return arrays.stream().mapToLong(NDArray::size).sum();
  }

  private ConvolutionKernels.Uses uses() {
    List<Long> geometry =
        geometries.stream().flatMapToLong(ConvolutionUses::numbers).boxed().toList();
    return new ConvolutionKernels.Uses(shape, inputs, outputGradients, geometry, isExact());
  }

  /**
   * Returns whether PyTorch's own convolutions compute in full float32. On a GPU they may round to
   * TF32, which the bound of a contribution does not allow; products of matrices do not.
   */
  private boolean isExact() {
    return !inputs.get(0).getDevice().isGpu();
  }

  /** Lists strides, paddings, dilations and groups, the order in which the kernels take them. */
  private static LongStream numbers(ConvolutionGeometry geometry) {
    return LongStream.concat(
        LongStream.concat(
            LongStream.of(geometry.stride().getShape()),
            LongStream.of(geometry.padding().getShape())),
        LongStream.concat(
            LongStream.of(geometry.dilation().getShape()), LongStream.of(geometry.groups())));
  }
}
