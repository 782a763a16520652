/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.fastdp.kernel.TorchScriptModule;

/**
 * The kernels of the per-sample gradients of normalisations' scales ({@code
 * normalisations.torchscript}). All arrays are float32.
 *
 * @param module the book-keeping kernels
 */
public record NormalisationKernels(TorchScriptModule module) {
  /**
   * Forms the gradients of a scale after a normalisation over groups of channels.
   *
   * @param manager owns the result
   * @param input (B, C, ...), not normalised
   * @param outputGradient of the same shape
   * @param groups the number of groups of channels
   * @param epsilon the number that is added to the variance
   * @param maxElements the most elements of a temporary
   * @return (B, C)
   */
  public NDArray groupScale(
      NDManager manager,
      NDArray input,
      NDArray outputGradient,
      long groups,
      double epsilon,
      long maxElements) {
    return module
        .run(manager, "group_scale_gradient", input, outputGradient, groups, epsilon, maxElements)
        .head();
  }

  /**
   * Forms the gradients of a scale after a normalisation by fixed statistics.
   *
   * @param manager owns the result
   * @param input (B, C, ...), not normalised
   * @param outputGradient of the same shape
   * @param mean (C)
   * @param variance (C)
   * @param epsilon the number that is added to the variance
   * @param maxElements the most elements of a temporary
   * @return (B, C)
   */
  public NDArray fixedScale(
      NDManager manager,
      NDArray input,
      NDArray outputGradient,
      NDArray mean,
      NDArray variance,
      double epsilon,
      long maxElements) {
    return module
        .run(
            manager,
            "fixed_scale_gradient",
            input,
            outputGradient,
            mean,
            variance,
            epsilon,
            maxElements)
        .head();
  }

  /**
   * Forms the gradients of a scale after a division by the root mean square over the last axis.
   *
   * @param manager owns the result
   * @param input (B, ..., d), not divided
   * @param outputGradient of the same shape
   * @param epsilon the number that is added to the mean square
   * @param maxElements the most elements of a temporary
   * @return (B, d)
   */
  public NDArray rootMeanSquareScale(
      NDManager manager, NDArray input, NDArray outputGradient, double epsilon, long maxElements) {
    return module
        .run(manager, "rms_scale_gradient", input, outputGradient, epsilon, maxElements)
        .head();
  }
}
