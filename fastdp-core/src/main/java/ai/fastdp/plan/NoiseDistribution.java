/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.plan;

import ai.fastdp.accounting.event.DiscreteGaussianEvent;
import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.QuantileQueryEvent;
import ai.fastdp.mechanism.DiscreteGaussianMechanism;

/** The distributions from which a plan's noise may be drawn. */
public enum NoiseDistribution {
  /**
   * Normal numbers in float64, rounded to float32 and added in float32. The default.
   *
   * <p>The guarantee is that of real numbers: what the low bits of a floating-point sum may tell
   * (Mironov 2012) is not accounted for.
   */
  GAUSSIAN {
    @Override
    DpEvent gradient(double noiseMultiplier) {
      return new GaussianEvent(noiseMultiplier);
    }

    @Override
    DpEvent count(double countNoise) {
      return new QuantileQueryEvent(countNoise);
    }

    @Override
    double clipShare() {
      return 1;
    }

    @Override
    void requireUsable(double noiseMultiplier) {}
  },

  /**
   * Discrete Gaussian integers, added exactly on a grid that the clipped sum is rounded to. For
   * users who need the released bits themselves to be accounted for.
   *
   * <p>Samples are clipped to 1 - 1/256 of the clip norm, which leaves room for rounding, at the
   * noise of the whole. Accounted for by Renyi differential privacy alone; several times slower to
   * draw.
   *
   * @see DiscreteGaussianMechanism
   */
  DISCRETE_GAUSSIAN {
    @Override
    DpEvent gradient(double noiseMultiplier) {
      return new DiscreteGaussianEvent(noiseMultiplier);
    }

    @Override
    DpEvent count(double countNoise) {
      // The centred count changes by 1/2 with a record.
      return new DiscreteGaussianEvent(2 * countNoise);
    }

    @Override
    double clipShare() {
      return DiscreteGaussianMechanism.CLIP_SHARE;
    }

    @Override
    void requireUsable(double noiseMultiplier) {
      double largest = DiscreteGaussianMechanism.LARGEST_NOISE_MULTIPLIER;
      if (!(noiseMultiplier >= 1 / largest && noiseMultiplier <= largest)) {
        throw new IllegalArgumentException(
            "noiseMultiplier must be in ["
                + 1 / largest
                + ", "
                + largest
                + "] for discrete noise, got "
                + noiseMultiplier
                + "; change batch size, steps or budget");
      }
    }
  };

  /** Returns the event that releases the clipped sum. */
  abstract DpEvent gradient(double noiseMultiplier);

  /** Returns the event that releases the count of unclipped samples. */
  abstract DpEvent count(double countNoise);

  /** Returns the share of the clip norm to which samples are clipped; the rest covers rounding. */
  abstract double clipShare();

  /** Checks the noise multiplier of a step. */
  abstract void requireUsable(double noiseMultiplier);
}
