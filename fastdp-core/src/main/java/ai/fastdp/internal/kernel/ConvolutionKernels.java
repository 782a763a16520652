/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.fastdp.kernel.TorchScriptModule;
import java.util.List;

/**
 * The kernels of convolutions' per-sample gradients ({@code convolutions.torchscript}).
 *
 * @param module the book-keeping kernels
 */
public record ConvolutionKernels(TorchScriptModule module) {
  /**
   * The uses of one convolution's weight in a forward pass.
   *
   * @param weight the shape (p, c, kernel)
   * @param inputs (B, groups * c, ...) of each use
   * @param outputGradients (B, p, ...) of each use
   * @param geometries strides, paddings, dilations and groups of each use, one after the other
   * @param exact whether PyTorch's own convolutions compute in full float32 here
   */
  public record Uses(
      Shape weight,
      List<NDArray> inputs,
      List<NDArray> outputGradients,
      List<Long> geometries,
      boolean exact) {
    private long[] geometry() {
      return geometries.stream().mapToLong(Long::longValue).toArray();
    }
  }

  /**
   * Computes the squared norms of a weight's per-sample gradients.
   *
   * @param manager owns the results
   * @param uses the weight's uses
   * @param keepBudget the most elements of formed gradients to keep
   * @param maxElements the most elements of a temporary that tiling can keep small
   * @return (B) squared norms in float64; (B) whether a sample's gradient must be formed in
   *     float64, empty where gradients were formed; then the formed gradients that are kept, if any
   */
  public NDList squaredNorms(NDManager manager, Uses uses, long keepBudget, long maxElements) {
    return module.run(
        manager,
        "conv_sq_norms",
        uses.inputs(),
        uses.outputGradients(),
        uses.geometry(),
        uses.weight().getShape(),
        uses.exact(),
        keepBudget,
        maxElements);
  }

  /**
   * Adds the weighted sum of gradients that were kept.
   *
   * @param formed the gradients, a tile of samples each
   * @param factors (B) float32
   * @param keep (B) boolean; a sample that is false adds exactly zero
   * @param target a float32 array of the weight's size
   */
  public void addFormedSum(List<NDArray> formed, NDArray factors, NDArray keep, NDArray target) {
    module.execute("add_formed_sum", formed, factors, keep, target);
  }

  /**
   * Adds the weighted sum of gradients of which none was kept.
   *
   * @param uses the weight's uses
   * @param squaredNorms the first result of {@link #squaredNorms}
   * @param doubtful its second result
   * @param factors (B) float32
   * @param keep (B) boolean; a sample that is false adds exactly zero
   * @param target a float32 array of the weight's shape
   * @param maxElements the most elements of a temporary that tiling can keep small
   */
  public void addWeightedSum(
      Uses uses,
      NDArray squaredNorms,
      NDArray doubtful,
      NDArray factors,
      NDArray keep,
      NDArray target,
      long maxElements) {
    module.execute(
        "add_conv_sum",
        uses.inputs(),
        uses.outputGradients(),
        uses.geometry(),
        uses.weight().getShape(),
        squaredNorms,
        doubtful,
        factors,
        keep,
        uses.exact(),
        target,
        maxElements);
  }
}
