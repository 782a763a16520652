/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.clipping;

import ai.djl.ndarray.NDArray;
import java.util.Optional;

/**
 * Maps per-sample gradient norms to the factors by which the gradients are scaled.
 *
 * <p>Every function guarantees \(c(n)\, n \le R\) for every norm \(n \ge 0\), where \(R\) is the
 * clip norm. The family is closed, so that no function without that guarantee can be passed in.
 */
public sealed interface ClippingFunction
    permits AbadiClipping,
        AutomaticClipping,
        AutomaticDirectionClipping,
        GlobalClipping,
        AdaptiveQuantileClipping {
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
   * The query from whose noisy answer the next step's clip norm follows; the plan charges it.
   *
   * @return the query, or nothing where the clip norm does not depend on the data
   */
  default Optional<QuantileQuery> quantileQuery() {
    return Optional.empty();
  }

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

  /**
   * Automatic clipping AUTO-V, \(c(n) = R/n\), 0 at \(n = 0\).
   *
   * @return the function
   */
  static ClippingFunction automaticDirection() {
    return new AutomaticDirectionClipping();
  }

  /**
   * Global clipping as in FastDP: 1 up to R, 0 beyond.
   *
   * @return the function
   */
  static ClippingFunction global() {
    return new GlobalClipping(1);
  }

  /**
   * Global clipping, \(c(n) = R/Z\) up to \(Z = \zeta R\), 0 beyond.
   *
   * @param ratio \(\zeta\), finite and greater than 0
   * @return the function
   */
  static ClippingFunction global(double ratio) {
    return new GlobalClipping(ratio);
  }

  /**
   * Flat clipping at a quantile of the norms, with the paper's learning rate of 0.2.
   *
   * @param quantile \(\gamma\), the share of samples that is to pass unclipped, in [0, 1]
   * @param countNoise \(\sigma_b\), the standard deviation of the noise on the count of unclipped
   *     samples, finite and greater than 0; a twentieth of the expected batch size in the paper
   * @return the function
   */
  static ClippingFunction adaptiveQuantile(double quantile, double countNoise) {
    return new AdaptiveQuantileClipping(
        new QuantileQuery(quantile, QuantileQuery.DEFAULT_LEARNING_RATE, countNoise));
  }
}
