/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

import ai.djl.training.tracker.Tracker;
import ai.fastdp.DpOptimizer;
import ai.fastdp.mechanism.PrivatizedGradient;

/**
 * Adam on privatized gradients, with weight decay added to the gradient.
 *
 * <p>\(m \leftarrow \beta_1 m + (1-\beta_1)(g + \lambda w)\), \(v \leftarrow \beta_2 v +
 * (1-\beta_2)(g + \lambda w)^2\), \(w \leftarrow w - \eta \frac{\sqrt{1-\beta_2^t}}{1-\beta_1^t}
 * \frac{m}{\sqrt v + \epsilon}\)
 *
 * <p>The numbers are those of DJL's {@code Adam} fed the same gradients, in one call for all
 * parameters.
 *
 * @see <a href="https://arxiv.org/abs/1412.6980">Kingma and Ba 2014, Algorithm 1</a>
 */
public final class DpAdam implements DpOptimizer {
  private final Adam adam;

  private DpAdam(Builder builder) {
    adam =
        new Adam(
            new Adam.Settings(
                builder.learningRate,
                builder.beta1,
                builder.beta2,
                builder.epsilon,
                builder.weightDecay,
                false));
  }

  /**
   * Starts an optimizer.
   *
   * @return a builder with DJL's defaults
   */
  public static Builder builder() {
    return new Builder();
  }

  @Override
  public void update(PrivatizedGradient gradient) {
    adam.update(gradient);
  }

  @Override
  public void close() {
    adam.close();
  }

  /** Collects the hyperparameters; all have DJL's defaults. */
  public static final class Builder {
    private Tracker learningRate = Tracker.fixed(0.001f);
    private float beta1 = 0.9f;
    private float beta2 = 0.999f;
    private float epsilon = 1e-8f;
    private float weightDecay = 0f;

    private Builder() {}

    /**
     * Sets a constant learning rate; 0.001 by default.
     *
     * @param value \(\eta\), finite and greater than 0
     * @return this builder
     */
    public Builder optLearningRate(float value) {
      learningRate = Tracker.fixed(Hyperparameters.positive("learningRate", value));
      return this;
    }

    /**
     * Sets a learning rate that changes with the number of updates.
     *
     * @param value the tracker
     * @return this builder
     */
    public Builder optLearningRateTracker(Tracker value) {
      learningRate = value;
      return this;
    }

    /**
     * Sets the decay of the first moment; 0.9 by default.
     *
     * @param value \(\beta_1\), in [0, 1)
     * @return this builder
     */
    public Builder optBeta1(float value) {
      beta1 = value;
      return this;
    }

    /**
     * Sets the decay of the second moment; 0.999 by default.
     *
     * @param value \(\beta_2\), in [0, 1)
     * @return this builder
     */
    public Builder optBeta2(float value) {
      beta2 = value;
      return this;
    }

    /**
     * Sets the number that keeps the division finite; 1e-8 by default.
     *
     * @param value \(\epsilon\), finite and greater than 0
     * @return this builder
     */
    public Builder optEpsilon(float value) {
      epsilon = value;
      return this;
    }

    /**
     * Sets the weight decay; 0 by default.
     *
     * @param value \(\lambda\), finite and at least 0
     * @return this builder
     */
    public Builder optWeightDecay(float value) {
      weightDecay = value;
      return this;
    }

    /**
     * Checks the hyperparameters.
     *
     * @return the optimizer
     * @throws IllegalArgumentException if one is out of range
     */
    public DpAdam build() {
      return new DpAdam(this);
    }
  }
}
