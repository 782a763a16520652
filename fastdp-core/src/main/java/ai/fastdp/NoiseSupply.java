/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import ai.fastdp.accounting.statement.NoiseOrigin;
import ai.fastdp.kernel.TorchScriptModule;
import ai.fastdp.mechanism.DeviceGaussianMechanism;
import ai.fastdp.mechanism.DiscreteGaussianMechanism;
import ai.fastdp.mechanism.GaussianMechanism;
import ai.fastdp.mechanism.NoiseMechanism;
import ai.fastdp.mechanism.NoiseSource;
import ai.fastdp.mechanism.NoiselessMechanism;
import ai.fastdp.plan.NoiseDistribution;
import ai.fastdp.plan.PrivacyPlan;
import java.util.function.Supplier;

/**
 * Where the noise of an engine's runs comes from. Every run has a source of its own, with a key of
 * its own: an engine outlives its runs, and noise that two of them share can be taken away by
 * whoever sees both.
 *
 * @param kind what the noise's unpredictability rests on
 * @param sources makes the source of a run
 * @param guarantees whether runs have a guarantee, so that what they spend can be stated
 * @param onDevice whether the generator of the sum's device draws, seeded from the source
 */
record NoiseSupply(
    NoiseOrigin.Kind kind, Supplier<NoiseSource> sources, boolean guarantees, boolean onDevice) {

  /** Secure streams. */
  static NoiseSupply secure() {
    return new NoiseSupply(NoiseOrigin.Kind.SECURE_STREAM, NoiseSource::secure, true, false);
  }

  /** Sources that repeat: no guarantee. */
  static NoiseSupply repeating(Supplier<NoiseSource> sources) {
    return new NoiseSupply(NoiseOrigin.Kind.TEST_SEED, sources, false, false);
  }

  /** Sources of tests of the engine itself, which look at what is spent. */
  static NoiseSupply ofTest(Supplier<NoiseSource> sources) {
    return new NoiseSupply(NoiseOrigin.Kind.TEST_SEED, sources, true, false);
  }

  /** No noise: no guarantee. */
  static NoiseSupply none() {
    return new NoiseSupply(NoiseOrigin.Kind.NO_NOISE, NoiseSource::secure, false, false);
  }

  /** Returns the same noise, drawn by the generator of the sum's device. */
  NoiseSupply drawnOnDevice() {
    NoiseOrigin.Kind drawn =
        kind == NoiseOrigin.Kind.SECURE_STREAM ? NoiseOrigin.Kind.DEVICE_GENERATOR : kind;
    return new NoiseSupply(drawn, sources, guarantees, true);
  }

  /** Checks that the plan's distribution can be drawn this way. */
  void requireUsable(PrivacyPlan plan) {
    if (onDevice && plan.noise() != NoiseDistribution.GAUSSIAN) {
      throw new IllegalArgumentException(
          "noise of the plan must be GAUSSIAN for a device's generator, got "
              + plan.noise()
              + "; leave optDeviceNoise out");
    }
  }

  /** Checks that a device's generator takes seeds of 64 bits, where it is the one that draws. */
  void requireUsable(Device first) {
    if (kind == NoiseOrigin.Kind.DEVICE_GENERATOR && !first.isGpu()) {
      throw new IllegalStateException(
          "device must be a GPU for its generator's noise, got "
              + first
              + ", where PyTorch uses 32 bits of the seed; leave optDeviceNoise out, the secure"
              + " stream is the default");
    }
  }

  /**
   * Makes the mechanism of one run, with a source of its own.
   *
   * @param ofSum the device of the clipped sum
   * @param ahead how many values may be drawn before they are needed
   */
  NoiseMechanism newMechanism(
      TorchScriptModule kernels, NDManager manager, Device ofSum, PrivacyPlan plan, long ahead) {
    double batch = plan.expectedBatchSize();
    if (kind == NoiseOrigin.Kind.NO_NOISE) {
      return new NoiselessMechanism(kernels, batch);
    }
    NoiseSource source = sources.get();
    if (onDevice) {
      return new DeviceGaussianMechanism(kernels, ofSum, source, batch);
    }
    return plan.noise() == NoiseDistribution.DISCRETE_GAUSSIAN
        ? new DiscreteGaussianMechanism(kernels, manager, source, batch)
        : new GaussianMechanism(kernels, manager, source, batch, ahead);
  }
}
