/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.clipping;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;

/**
 * Global clipping: \(c(n) = R/Z\) if \(n \le Z\), else 0, with the threshold \(Z = \zeta R\).
 *
 * <p>All samples that are kept share one factor, so that their sum keeps the direction of the
 * unclipped sum; samples beyond the threshold are left out. With \(\zeta = 1\) this is the function
 * that FastDP calls global: factor 1 up to R and 0 beyond. A group of a style with several groups
 * has its own clip norm \(R_m\) and so the threshold \(\zeta R_m\).
 *
 * @param ratio \(\zeta = Z/R\), finite and greater than 0
 * @see <a href="https://arxiv.org/abs/2106.07830">Bu et al. 2021, global clipping</a>
 */
public record GlobalClipping(double ratio) implements ClippingFunction {
  /**
   * Validates the ratio.
   *
   * @param ratio finite and greater than 0
   * @throws IllegalArgumentException if it is not finite and greater than 0
   */
  public GlobalClipping {
    if (!(ratio > 0) || ratio == Double.POSITIVE_INFINITY) {
      throw new IllegalArgumentException(
          "ratio must be finite and > 0, got " + ratio + "; it is the threshold Z over R");
    }
  }

  @Override
  public NDArray factors(NDArray norms, double clipNorm) {
    NDArray shared = norms.onesLike().mul(1 / ratio);
    return NDArrays.where(norms.lte(ratio * clipNorm), shared, norms.zerosLike());
  }

  @Override
  public double sensitivity(double clipNorm) {
    return clipNorm;
  }
}
