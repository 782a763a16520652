/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

import ai.djl.training.tracker.Tracker;
import java.util.Objects;

/**
 * The hyperparameters of the optimizers that divide by a root of squared gradients.
 *
 * @param <B> the builder
 */
public abstract sealed class AdaptiveBuilder<B extends AdaptiveBuilder<B>>
    extends OptimizerBuilder<B> permits DpAdagrad.Builder, DpRmsprop.Builder, MomentBuilder {
  private Tracker learningRate = Tracker.fixed(0.001f);
  private float epsilon;

  AdaptiveBuilder(float weightDecay, float epsilon) {
    super(weightDecay);
    this.epsilon = epsilon;
  }

  final Tracker learningRate() {
    return learningRate;
  }

  final float epsilon() {
    return Hyperparameters.positive("epsilon", epsilon);
  }

  /**
   * Sets a constant learning rate; 0.001 by default.
   *
   * @param value \(\eta\), finite and greater than 0
   * @return this builder
   */
  public final B optLearningRate(float value) {
    learningRate = Tracker.fixed(Hyperparameters.positive("learningRate", value));
    return self();
  }

  /**
   * Sets a learning rate that changes with the number of updates.
   *
   * @param value the tracker; asked once for each update, with the numbers 1, 2, ...
   * @return this builder
   */
  public final B optLearningRateTracker(Tracker value) {
    learningRate = Objects.requireNonNull(value, "learningRateTracker");
    return self();
  }

  /**
   * Sets the number that keeps the division finite; the default stands with the optimizer.
   *
   * @param value \(\epsilon\), finite and greater than 0
   * @return this builder
   */
  public final B optEpsilon(float value) {
    epsilon = value;
    return self();
  }
}
