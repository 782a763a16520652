/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

import org.jspecify.annotations.Nullable;

/**
 * The hyperparameters that {@link DpAdam} and {@link DpAdamW} share.
 *
 * @param <B> the builder
 */
public abstract sealed class AdamBuilder<B extends AdamBuilder<B>> extends MomentBuilder<B>
    permits DpAdam.Builder, DpAdamW.Builder {
  private @Nullable Float noiseFloor;

  AdamBuilder(float weightDecay) {
    super(weightDecay, 1e-8f);
  }

  final AdamRule rule(boolean decoupled) {
    return new AdamRule(
        beta1(),
        beta2(),
        epsilon(),
        weightDecay(),
        decoupled,
        noiseFloor == null ? null : Hyperparameters.positive("noiseFloor", noiseFloor));
  }

  /**
   * Subtracts the known variance of the noise from the second moment; off by default.
   *
   * <p>The noise adds \(\Phi = (\sigma S / B)^2\) to the expectation of every squared gradient. The
   * update becomes \(w \leftarrow w - \eta\, \hat m / \sqrt{\max(\hat v - \Phi, \gamma')}\) with
   * \(\hat m = m / (1 - \beta_1^t)\), \(\hat v = v / (1 - \beta_2^t)\); epsilon has no part in it.
   * Where the noise changes from step to step, \(\Phi\) is averaged as v is. It costs no privacy:
   * \(\Phi\) is public.
   *
   * @param floor \(\gamma'\), finite and greater than 0, in units of squared gradients; it decides
   *     how far a coordinate without signal may move, \(\eta \hat m / \sqrt{\gamma'}\)
   * @return this builder
   * @see <a href="https://arxiv.org/abs/2312.14334">Tang, Shpilevskiy and Lecuyer 2023, Algorithm
   *     1</a>
   */
  public final B optNoiseCorrection(float floor) {
    noiseFloor = floor;
    return self();
  }
}
