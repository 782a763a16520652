/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.clipping;

import ai.djl.ndarray.NDArray;

/**
 * Automatic clipping AUTO-S: \(c(n) = R/(n + \gamma)\).
 *
 * <p>Every gradient is scaled to a norm below R, small ones too, so that R merges with the learning
 * rate and needs no tuning. The scaled norm \(R n/(n + \gamma)\) grows with n and stays below R.
 *
 * @param stability the stability constant \(\gamma\), finite and greater than 0
 * @see <a href="https://arxiv.org/abs/2206.07136">Bu et al. 2022, Algorithm 1, equation (3)</a>
 */
public record AutomaticClipping(double stability) implements ClippingFunction {
  /** The paper's stability constant. */
  public static final double DEFAULT_STABILITY = 0.01;

  /**
   * Validates the constant.
   *
   * @param stability finite and greater than 0
   * @throws IllegalArgumentException if it is not finite and greater than 0
   */
  public AutomaticClipping {
    if (!(stability > 0) || stability == Double.POSITIVE_INFINITY) {
      throw new IllegalArgumentException(
          "stability must be finite and > 0, got " + stability + "; 0.01 is the paper's value");
    }
  }

  @Override
  public NDArray factors(NDArray norms, double clipNorm) {
    return norms.add(stability).pow(-1).mul(clipNorm);
  }

  @Override
  public double sensitivity(double clipNorm) {
    return clipNorm;
  }
}
