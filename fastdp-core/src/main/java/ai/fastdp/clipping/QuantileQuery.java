/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.clipping;

/**
 * Which share of the samples is not clipped, asked with noise in every step, and how the clip norm
 * follows the answer.
 *
 * <p>With \(b_i = 1\) for a sample that passes unclipped (in a style with several groups: in all of
 * them), 0 for one that is clipped or not finite, and the expected batch size B:
 *
 * <p>\(\tilde b = \frac12 + \frac1B\left(\sum_i (b_i - \frac12) + \mathcal N(0, \sigma_b^2)\right),
 * \qquad C_{t+1} = C_t \exp(-\eta (\tilde b - \gamma))\)
 *
 * <p>Adding or removing a sample changes the centred sum by 1/2, so that the query costs what a
 * Gaussian release with noise multiplier \(2\sigma_b\) costs. A step with noise multiplier
 * \(\sigma_\Delta\) for the gradients costs as much as one release with \(\sigma =
 * (\sigma_\Delta^{-2} + (2\sigma_b)^{-2})^{-1/2}\): the paper's split, solved for the gradients'
 * noise, is \(\sigma_\Delta = (\sigma^{-2} - (2\sigma_b)^{-2})^{-1/2}\).
 *
 * @param quantile \(\gamma\), the share of samples that is to pass unclipped, in [0, 1]
 * @param learningRate \(\eta\), finite and greater than 0; 0.2 in the paper
 * @param countNoise \(\sigma_b\), the standard deviation of the noise on the count, in [1e-18,
 *     1e12]; a twentieth of the expected batch size in the paper
 * @see <a href="https://arxiv.org/abs/1905.03871">Andrew et al. 2021, sections 2 and 3</a>
 */
public record QuantileQuery(double quantile, double learningRate, double countNoise) {
  /** The paper's learning rate of the clip norm. */
  public static final double DEFAULT_LEARNING_RATE = 0.2;

  /**
   * Validates the numbers.
   *
   * @param quantile in [0, 1]
   * @param learningRate finite and greater than 0
   * @param countNoise in [1e-18, 1e12]
   * @throws IllegalArgumentException if a number is out of range
   */
  public QuantileQuery {
    if (!(quantile >= 0 && quantile <= 1)) {
      throw new IllegalArgumentException("quantile must be in [0, 1], got " + quantile);
    }
    if (!(learningRate > 0) || learningRate == Double.POSITIVE_INFINITY) {
      throw new IllegalArgumentException(
          "learningRate must be finite and > 0, got " + learningRate);
    }
    if (!(countNoise >= 1e-18 && countNoise <= 1e12)) {
      throw new IllegalArgumentException("countNoise must be in [1e-18, 1e12], got " + countNoise);
    }
  }

  /**
   * The clip norm of the next step, a function of private answers alone.
   *
   * @param clipNorm \(C_t\)
   * @param noisyFraction \(\tilde b\), finite
   * @return \(C_{t+1}\)
   * @throws IllegalArgumentException if the fraction is not finite
   */
  public double next(double clipNorm, double noisyFraction) {
    if (!Double.isFinite(noisyFraction)) {
      throw new IllegalArgumentException("noisyFraction must be finite, got " + noisyFraction);
    }
    return clipNorm * Math.exp(-learningRate * (noisyFraction - quantile));
  }
}
