/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

import ai.djl.training.tracker.Tracker;

/**
 * The hyperparameters that {@link DpAdam} and {@link DpAdamW} share.
 *
 * @param <B> the builder
 */
public abstract sealed class AdamBuilder<B extends AdamBuilder<B>>
    permits DpAdam.Builder, DpAdamW.Builder {
  private Tracker learningRate = Tracker.fixed(0.001f);
  private float beta1 = 0.9f;
  private float beta2 = 0.999f;
  private float epsilon = 1e-8f;
  private float weightDecay;

  AdamBuilder(float weightDecay) {
    this.weightDecay = weightDecay;
  }

  abstract B self();

  Adam adam(boolean decoupled) {
    return new Adam(new Adam.Settings(learningRate, beta1, beta2, epsilon, weightDecay, decoupled));
  }

  /**
   * Sets a constant learning rate; 0.001 by default.
   *
   * @param value \(\eta\), finite and greater than 0
   * @return this builder
   */
  public B optLearningRate(float value) {
    learningRate = Tracker.fixed(Hyperparameters.positive("learningRate", value));
    return self();
  }

  /**
   * Sets a learning rate that changes with the number of updates.
   *
   * @param value the tracker
   * @return this builder
   */
  public B optLearningRateTracker(Tracker value) {
    learningRate = value;
    return self();
  }

  /**
   * Sets the decay of the first moment; 0.9 by default.
   *
   * @param value \(\beta_1\), in [0, 1)
   * @return this builder
   */
  public B optBeta1(float value) {
    beta1 = value;
    return self();
  }

  /**
   * Sets the decay of the second moment; 0.999 by default.
   *
   * @param value \(\beta_2\), in [0, 1)
   * @return this builder
   */
  public B optBeta2(float value) {
    beta2 = value;
    return self();
  }

  /**
   * Sets the number that keeps the division finite; 1e-8 by default.
   *
   * @param value \(\epsilon\), finite and greater than 0
   * @return this builder
   */
  public B optEpsilon(float value) {
    epsilon = value;
    return self();
  }

  /**
   * Sets the weight decay.
   *
   * @param value \(\lambda\), finite and at least 0
   * @return this builder
   */
  public B optWeightDecay(float value) {
    weightDecay = value;
    return self();
  }
}
