/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import ai.fastdp.internal.kernel.SumKernels;
import ai.fastdp.kernel.TorchScriptModule;

/**
 * Divides a clipped sum by the expected batch size and adds no noise: for debugging alone, where
 * what clipping does is to be told from what noise does. Its releases have no privacy.
 */
public final class NoiselessMechanism implements NoiseMechanism {
  private final SumKernels kernels;
  private final NoiseScale scale;

  /**
   * Creates a mechanism.
   *
   * @param kernels the module of the book-keeping kernels
   * @param expectedBatchSize B, finite and greater than 0
   */
  public NoiselessMechanism(TorchScriptModule kernels, double expectedBatchSize) {
    this.kernels = new SumKernels(kernels);
    scale = new NoiseScale(expectedBatchSize);
  }

  /** Nothing to do: there is no noise to draw. */
  @Override
  public void prepare(ClippedGradientSum sum) {}

  @Override
  public PrivatizedGradient privatize(
      ClippedGradientSum sum, double noiseMultiplier, double sensitivity) {
    scale.deviation(noiseMultiplier, sensitivity);
    kernels.scale(sum.flat(), scale.ofSum());
    return PrivatizedGradient.of(sum, 0);
  }

  @Override
  public double unclippedShare(ClippedGradientSum sum, double countNoise) {
    NoiseScale.requireCountNoise(countNoise);
    return scale.share(sum.centredCount(), 0);
  }

  @Override
  public NoisePosition noisePosition() {
    return new NoisePosition(0, 0);
  }

  /** Nothing to do: no noise has been used. */
  @Override
  public void skipNoise(NoisePosition position) {}

  @Override
  public String sourceDescription() {
    return "none, as the run is not private";
  }

  /** Nothing to do: the mechanism owns no memory. */
  @Override
  public void close() {}
}
