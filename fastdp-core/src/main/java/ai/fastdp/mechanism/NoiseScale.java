/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

/** The numbers that bring a sum and its noise to the size of a gradient. */
final class NoiseScale {
  private final double scale;

  /**
   * @param expectedBatchSize B, finite and greater than 0
   */
  NoiseScale(double expectedBatchSize) {
    scale = 1 / requirePositive("expectedBatchSize", expectedBatchSize);
  }

  /** 1 / B. */
  double ofSum() {
    return scale;
  }

  /** The standard deviation of the gradient's noise, \(\sigma S / B\), which float32 must hold. */
  double deviation(double noiseMultiplier, double sensitivity) {
    double deviation =
        requirePositive("noiseMultiplier", noiseMultiplier)
            * requirePositive("sensitivity", sensitivity)
            * scale;
    // The noise's standard deviation is a float32 factor on the way.
    if (!(deviation >= 1e-18 && deviation <= 1e18)) {
      throw new IllegalArgumentException(
          "noiseMultiplier * sensitivity / expectedBatchSize must be in [1e-18, 1e18], got "
              + deviation
              + "; scale the loss");
    }
    return deviation;
  }

  /** \(\frac12 + \frac1B (c + z)\) for the centred count c and its noise z. */
  double share(double centredCount, double noise) {
    return 0.5 + scale * (centredCount + noise);
  }

  static void requireCountNoise(double countNoise) {
    if (!(countNoise >= 1e-18 && countNoise <= 1e12)) {
      throw new IllegalArgumentException("countNoise must be in [1e-18, 1e12], got " + countNoise);
    }
  }

  private static double requirePositive(String name, double value) {
    if (!(value > 0) || value == Double.POSITIVE_INFINITY) {
      throw new IllegalArgumentException(name + " must be finite and > 0, got " + value);
    }
    return value;
  }
}
