/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.fastdp.kernel.TorchScriptModule;
import java.util.List;

/**
 * The kernels of per-sample gradients that are formed ({@code vectors.torchscript}); one call
 * serves all parameters.
 *
 * @param module the book-keeping kernels
 */
public record VectorKernels(TorchScriptModule module) {
  /**
   * Sums output gradients over positions, sample by sample.
   *
   * @param manager owns the results
   * @param outputGradients (B, ..., n) of each parameter
   * @param sizes n of each parameter
   * @return gradients (B, n) of each parameter
   */
  public NDList positionSums(NDManager manager, List<NDArray> outputGradients, long[] sizes) {
    return module.run(manager, "position_sums", outputGradients, sizes);
  }

  /**
   * Forms the gradients of scales after layer normalisations over the last axes.
   *
   * @param manager owns the results
   * @param inputs (B, ..., n) of each scale, not normalised
   * @param outputGradients of the same shapes
   * @param sizes n of each scale
   * @param epsilons the number that each normalisation adds to the variance
   * @return gradients (B, n) of each scale
   */
  public NDList scaleGradients(
      NDManager manager,
      List<NDArray> inputs,
      List<NDArray> outputGradients,
      long[] sizes,
      double[] epsilons) {
    return module.run(manager, "scale_gradients", inputs, outputGradients, sizes, epsilons);
  }

  /**
   * Computes squared norms.
   *
   * @param manager owns the result
   * @param gradients K arrays (B, n)
   * @return (K, B) float64
   */
  public NDArray squaredNorms(NDManager manager, List<NDArray> gradients) {
    return module.run(manager, "dense_sq_norms", gradients).head();
  }

  /**
   * Adds \(\sum_i c_{k,i}\, g_{k,i}\) to each target.
   *
   * @param gradients K arrays (B, n)
   * @param factors (K, B) float32
   * @param keep (B) boolean; a sample that is false adds exactly zero
   * @param targets K float32 arrays of n elements
   */
  public void addWeightedSums(
      List<NDArray> gradients, NDArray factors, NDArray keep, List<NDArray> targets) {
    module.execute("add_dense_sums", gradients, factors, keep, targets);
  }
}
