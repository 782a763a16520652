/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.clipping;

import ai.djl.ndarray.NDArray;

/**
 * Flat clipping: \(c(n) = \min(1, R/n)\), the identity up to R and R/n beyond.
 *
 * <p>At \(n = 0\) the factor is 1.
 *
 * @see <a href="https://arxiv.org/abs/1607.00133">Abadi et al. 2016, Algorithm 1</a>
 */
public record AbadiClipping() implements ClippingFunction {
  @Override
  public NDArray factors(NDArray norms, double clipNorm) {
    // R / max(n, R) is min(1, R/n) without a division by zero.
    return norms.maximum(clipNorm).pow(-1).mul(clipNorm);
  }

  @Override
  public double sensitivity(double clipNorm) {
    return clipNorm;
  }
}
