/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

/**
 * The hyperparameter of every optimizer.
 *
 * @param <B> the builder
 */
public abstract sealed class OptimizerBuilder<B extends OptimizerBuilder<B>>
    permits AdaptiveBuilder, DpSgd.Builder {
  private float weightDecay;

  OptimizerBuilder(float weightDecay) {
    this.weightDecay = weightDecay;
  }

  abstract B self();

  final float weightDecay() {
    return Hyperparameters.nonNegative("weightDecay", weightDecay);
  }

  /**
   * Sets the weight decay.
   *
   * @param value \(\lambda\), finite and at least 0
   * @return this builder
   */
  public final B optWeightDecay(float value) {
    weightDecay = value;
    return self();
  }
}
