/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.fastdp.kernel.TorchScriptModule;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The uses of one convolution weight in a forward pass.
 *
 * <p>Per-sample gradients that have been formed for their norms, and fit in memory, are kept: their
 * weighted sum replaces a second convolution.
 */
final class ConvolutionUses {
  private final Parameter weight;
  private final Shape shape;
  private final List<NDArray> inputs = new ArrayList<>();
  private final List<NDArray> outputGradients = new ArrayList<>();
  private final List<ConvolutionGeometry> geometries = new ArrayList<>();
  private @Nullable NDArray squaredNorms;
  // Squared norms (B), and which samples' gradients float32 does not give.
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
   * @throws IllegalStateException if the norms have been taken, which would lack it
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
   * @param room the most elements that kept gradients may have
   */
  void resolve(TorchScriptModule kernels, NDManager manager, long room, long cells) {
    NDList result =
        kernels.run(
            manager,
            "conv_sq_norms",
            inputs,
            outputGradients,
            geometry(),
            shape.getShape(),
            isNative(),
            room,
            cells);
    squaredNorms = result.get(0).expandDims(0);
    norms = List.copyOf(result.subList(0, 2));
    formed = List.copyOf(result.subList(2, result.size()));
  }

  /** Squared norms (1, B). */
  NDArray squaredNorms() {
    return Objects.requireNonNull(squaredNorms, "resolve comes first");
  }

  /** Whether gradients were kept, in whose place the arrays of the uses are needed no more. */
  boolean isFormed() {
    return !formed.isEmpty();
  }

  /** Adds the weighted sum of the gradients. */
  void addWeightedSum(
      TorchScriptModule kernels,
      NDManager manager,
      NDArray factors,
      NDArray keep,
      NDArray target,
      long cells) {
    if (isFormed()) {
      kernels.run(manager, "add_formed_sum", formed, factors, keep, target);
      return;
    }
    kernels.run(
        manager,
        "add_conv_sum",
        inputs,
        outputGradients,
        geometry(),
        shape.getShape(),
        norms.get(0),
        norms.get(1),
        factors,
        keep,
        isNative(),
        target.reshape(shape),
        cells);
  }

  List<NDArray> arrays() {
    List<NDArray> all = new ArrayList<>(inputs);
    all.addAll(outputGradients);
    return all;
  }

  /** Elements of what the uses hold. */
  long size() {
    return elements(arrays());
  }

  /** Elements of the gradients that were kept. */
  long formedSize() {
    return elements(formed);
  }

  private static long elements(List<NDArray> arrays) {
    return arrays.stream().mapToLong(NDArray::size).sum();
  }

  private long[] geometry() {
    return geometries.stream().flatMapToLong(ConvolutionGeometry::numbers).toArray();
  }

  /**
   * Whether PyTorch's own convolutions are exact in float32. On a GPU they may round to TF32, which
   * the bound of a contribution does not allow; products of matrices do not.
   */
  private boolean isNative() {
    return !inputs.get(0).getDevice().isGpu();
  }
}
