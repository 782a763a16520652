/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.clipping;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;

/**
 * Automatic clipping AUTO-V: \(c(n) = R/n\), every gradient is scaled to norm R.
 *
 * <p>At \(n = 0\) the factor is 0, and a norm below 1e-4 counts as 1e-4: products of float32
 * numbers that underflow can hide a part of a smaller norm, and an unbounded factor would blow that
 * part up beyond R. AUTO-V keeps a gradient's direction only; AUTO-S ({@link AutomaticClipping})
 * keeps small gradients small, on which the paper's proof of convergence rests.
 *
 * @see <a href="https://arxiv.org/abs/2206.07136">Bu et al. 2022, AUTO-V</a>
 */
public record AutomaticDirectionClipping() implements ClippingFunction {
  private static final double SMALLEST_NORM = 1e-4;

  @Override
  public NDArray factors(NDArray norms, double clipNorm) {
    NDArray scaled = norms.maximum(SMALLEST_NORM).pow(-1).mul(clipNorm);
    return NDArrays.where(norms.gt(0), scaled, norms.zerosLike());
  }

  @Override
  public double sensitivity(double clipNorm) {
    return clipNorm;
  }
}
