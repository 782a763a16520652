/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.clipping;

import ai.djl.ndarray.NDArray;

/**
 * Maps per-sample gradient norms to the factors by which the gradients are scaled.
 *
 * <p>Every function guarantees \(c(n)\, n \le R\) for every norm \(n \ge 0\), where \(R\) is the
 * clip norm. The family is closed, so that no function without that guarantee can be passed in.
 */
public sealed interface ClippingFunction permits AbadiClipping, AutomaticClipping {
  /**
   * The factors of a group of parameters.
   *
   * @param norms (B) float64, per-sample norms \(n_i \ge 0\), all finite
   * @param clipNorm the group's clip norm R
   * @return (B) float64, the factors \(c_i\)
   */
  NDArray factors(NDArray norms, double clipNorm);

  /**
   * The largest norm that one sample's scaled gradient can have.
   *
   * @param clipNorm the clip norm R
   * @return the sensitivity of the sum of scaled gradients to adding or removing one sample
   */
  double sensitivity(double clipNorm);

  /**
   * Flat clipping, \(c(n) = \min(1, R/n)\).
   *
   * @return the function
   */
  static ClippingFunction abadi() {
    return new AbadiClipping();
  }

  /**
   * Automatic clipping AUTO-S with the stability constant 0.01.
   *
   * @return the function
   */
  static ClippingFunction automatic() {
    return new AutomaticClipping(AutomaticClipping.DEFAULT_STABILITY);
  }

  /**
   * Automatic clipping AUTO-S, \(c(n) = R/(n + \gamma)\).
   *
   * @param stability the stability constant \(\gamma\), finite and greater than 0
   * @return the function
   */
  static ClippingFunction automatic(double stability) {
    return new AutomaticClipping(stability);
  }
}
