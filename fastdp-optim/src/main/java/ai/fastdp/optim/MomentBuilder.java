/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

/**
 * The hyperparameters of the optimizers that average gradients and their squares.
 *
 * @param <B> the builder
 */
public abstract sealed class MomentBuilder<B extends MomentBuilder<B>> extends AdaptiveBuilder<B>
    permits AdamBuilder, DpLamb.Builder {
  private float beta1 = 0.9f;
  private float beta2 = 0.999f;

  MomentBuilder(float weightDecay, float epsilon) {
    super(weightDecay, epsilon);
  }

  final float beta1() {
    return Hyperparameters.belowOne("beta1", beta1);
  }

  final float beta2() {
    return Hyperparameters.belowOne("beta2", beta2);
  }

  /**
   * Sets the decay of the first moment; 0.9 by default.
   *
   * @param value \(\beta_1\), in [0, 1)
   * @return this builder
   */
  public final B optBeta1(float value) {
    beta1 = value;
    return self();
  }

  /**
   * Sets the decay of the second moment; 0.999 by default.
   *
   * @param value \(\beta_2\), in [0, 1)
   * @return this builder
   */
  public final B optBeta2(float value) {
    beta2 = value;
    return self();
  }
}
