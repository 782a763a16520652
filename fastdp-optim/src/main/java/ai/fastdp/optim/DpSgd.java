/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

import ai.djl.training.tracker.Tracker;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Stochastic gradient descent on privatized gradients, with momentum.
 *
 * <p>\(v \leftarrow \mu v + \eta (g + \lambda w)\), \(w \leftarrow w - v\); with Nesterov's
 * momentum \(v \leftarrow \mu v + g + \lambda w\), \(w \leftarrow w - \eta (g + \lambda w + \mu
 * v)\). A learning rate that changes acts on the gradients to come in the first form and on the
 * whole velocity in the second, as DJL documents its {@code Sgd} and {@code Nag}.
 *
 * <p>Without Nesterov's momentum the numbers are those of DJL's {@code Sgd} fed the same gradients.
 * DJL has no {@code Nag} for PyTorch. One call updates all parameters.
 *
 * @see <a href="https://arxiv.org/abs/1607.00133">Abadi et al. 2016, Algorithm 1</a>
 */
public final class DpSgd extends ListOptimizer {
  private static final String VELOCITY = "velocity";

  private final float momentum;
  private final float weightDecay;
  private final boolean nesterov;

  private DpSgd(Builder builder, Tracker learningRate, float momentum) {
    super(
        new Rule(
            builder.nesterov ? "DpSgd with Nesterov's momentum" : "DpSgd",
            momentum == 0 ? List.of() : List.of(VELOCITY),
            List.of()),
        learningRate);
    this.momentum = momentum;
    nesterov = builder.nesterov;
    weightDecay = builder.weightDecay();
  }

  /**
   * Starts an optimizer.
   *
   * @return a builder
   */
  public static Builder builder() {
    return new Builder();
  }

  @Override
  void apply(Update update) {
    if (momentum == 0) {
      update.run(
          "sgd", update.weights(), update.gradients(), update.learningRate(), (double) weightDecay);
    } else {
      update.run(
          nesterov ? "nesterov_sgd" : "momentum_sgd",
          update.weights(),
          update.gradients(),
          update.array(VELOCITY),
          update.learningRate(),
          (double) weightDecay,
          (double) momentum);
    }
  }

  /** Collects the hyperparameters. */
  public static final class Builder extends OptimizerBuilder<Builder> {
    private @Nullable Tracker learningRate;
    private float momentum;
    private boolean nesterov;

    private Builder() {
      super(0);
    }

    @Override
    Builder self() {
      return this;
    }

    /**
     * Sets a constant learning rate.
     *
     * @param value \(\eta\), finite and greater than 0
     * @return this builder
     */
    public Builder setLearningRate(float value) {
      return setLearningRateTracker(Tracker.fixed(Hyperparameters.positive("learningRate", value)));
    }

    /**
     * Sets a learning rate that changes with the number of updates.
     *
     * @param value the tracker; asked once for each update, with the numbers 1, 2, ...
     * @return this builder
     */
    public Builder setLearningRateTracker(Tracker value) {
      learningRate = Objects.requireNonNull(value, "learningRateTracker");
      return this;
    }

    /**
     * Sets the momentum; none by default.
     *
     * @param value \(\mu\), in [0, 1)
     * @return this builder
     */
    public Builder optMomentum(float value) {
      momentum = value;
      return this;
    }

    /**
     * Chooses Nesterov's momentum; off by default.
     *
     * @param value true for Nesterov's
     * @return this builder
     */
    public Builder optNesterov(boolean value) {
      nesterov = value;
      return this;
    }

    /**
     * Checks the hyperparameters.
     *
     * @return the optimizer
     * @throws IllegalArgumentException if one is out of range
     * @throws NullPointerException if there is no learning rate
     */
    public DpSgd build() {
      Hyperparameters.belowOne("momentum", momentum);
      if (nesterov && momentum == 0) {
        throw new IllegalArgumentException(
            "momentum must be > 0 for Nesterov's momentum, got 0.0; set optMomentum");
      }
      return new DpSgd(this, Objects.requireNonNull(learningRate, "learningRate"), momentum);
    }
  }
}
