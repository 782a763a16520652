/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.clipping;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;

/**
 * Automatic clipping AUTO-V: \(c(n) = R/n\), every gradient is scaled to norm R exactly.
 *
 * <p>At \(n = 0\) the factor is 0. AUTO-V keeps a gradient's direction only; AUTO-S ({@link
 * AutomaticClipping}) keeps small gradients small, on which the paper's proof of convergence rests.
 *
 * @see <a href="https://arxiv.org/abs/2206.07136">Bu et al. 2022, section 3.2, AUTO-V</a>
 */
public record AutomaticDirectionClipping() implements ClippingFunction {
  @Override
  public NDArray factors(NDArray norms, double clipNorm) {
    NDArray scaled = norms.maximum(Double.MIN_NORMAL).pow(-1).mul(clipNorm);
    return NDArrays.where(norms.gt(0), scaled, norms.zerosLike());
  }

  @Override
  public double sensitivity(double clipNorm) {
    return clipNorm;
  }
}
