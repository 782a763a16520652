/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

/**
 * Turns the clipped sum of a logical step into a privatized gradient, with noise that is drawn
 * once.
 */
public sealed interface NoiseMechanism extends AutoCloseable
    permits GaussianMechanism,
        DiscreteGaussianMechanism,
        DeviceGaussianMechanism,
        NoiselessMechanism {
  /**
   * Lets the noise of the next steps be drawn while the model runs, where the mechanism can do so.
   *
   * @param sum the clipped sum of the next logical step
   */
  void prepare(ClippedGradientSum sum);

  /**
   * Turns a clipped sum into a privatized gradient, in place: the sum must be cleared before it is
   * used again.
   *
   * @param sum the clipped sum of one logical step
   * @param noiseMultiplier \(\sigma\), finite and greater than 0
   * @param sensitivity S, finite and greater than 0; \(\sigma S / B\) must be in [1e-18, 1e18]
   * @return the privatized gradient
   * @throws IllegalArgumentException if a number is out of range; the sum is left as it is
   */
  PrivatizedGradient privatize(ClippedGradientSum sum, double noiseMultiplier, double sensitivity);

  /**
   * The noisy share of the step's samples that were not clipped,
   *
   * <p>\(\tilde b = \frac12 + \frac1B\left(\sum_i (b_i - \frac12) + Z\right)\)
   *
   * <p>with noise Z of standard deviation \(\sigma_b\).
   *
   * @param sum the clipped sum of one logical step, with its count
   * @param countNoise \(\sigma_b\), in [1e-18, 1e12]
   * @return the share; beyond [0, 1] where the noise is that large
   * @throws IllegalArgumentException if the noise is out of range
   * @see <a href="https://arxiv.org/abs/1905.03871">Andrew et al. 2021, algorithm 1</a>
   */
  double unclippedShare(ClippedGradientSum sum, double countNoise);

  /**
   * How much noise has been used up, for a checkpoint.
   *
   * @return the position in the source
   */
  NoisePosition noisePosition();

  /**
   * Goes on after the noise that an earlier run has used up.
   *
   * @param position what {@link #noisePosition()} was
   * @throws IllegalStateException if noise has been drawn already
   */
  void skipNoise(NoisePosition position);

  /**
   * What the noise is made from.
   *
   * @return the source's description
   */
  String sourceDescription();

  /** Ends the drawing and releases the mechanism's memory. */
  @Override
  void close();
}
