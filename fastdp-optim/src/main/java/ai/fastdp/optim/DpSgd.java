/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.training.tracker.Tracker;
import ai.fastdp.DpOptimizer;
import ai.fastdp.mechanism.PrivatizedGradient;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Stochastic gradient descent on privatized gradients, with momentum.
 *
 * <p>\(v \leftarrow \mu v + \eta (g + \lambda w)\), \(w \leftarrow w - v\)
 *
 * <p>The numbers are those of DJL's {@code Sgd} fed the same gradients, in one call for all
 * parameters.
 *
 * @see <a href="https://arxiv.org/abs/1607.00133">Abadi et al. 2016, Algorithm 1</a>
 */
public final class DpSgd implements DpOptimizer {
  private final Tracker learningRate;
  private final float momentum;
  private final float weightDecay;
  private @Nullable UpdateKernels kernels;
  private @Nullable List<NDArray> velocities;
  private int updates;

  private DpSgd(Builder builder) {
    learningRate = Objects.requireNonNull(builder.learningRate, "learningRate");
    momentum = Hyperparameters.belowOne("momentum", builder.momentum);
    weightDecay = Hyperparameters.nonNegative("weightDecay", builder.weightDecay);
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
  public void update(PrivatizedGradient gradient) {
    UpdateKernels update = kernels;
    if (update == null) {
      update = UpdateKernels.forParametersOf(gradient);
      velocities = momentum == 0 ? null : update.zeros();
      kernels = update;
    }
    updates++;
    double rate = Hyperparameters.nonNegative("learningRate", learningRate.getNewValue(updates));
    try (NDManager scope = update.newScope()) {
      if (velocities == null) {
        update.run(
            scope,
            "sgd",
            update.weights(gradient),
            gradient.gradients(),
            rate,
            (double) weightDecay);
      } else {
        update.run(
            scope,
            "momentum_sgd",
            update.weights(gradient),
            gradient.gradients(),
            velocities,
            rate,
            (double) weightDecay,
            (double) momentum);
      }
    }
  }

  @Override
  public void close() {
    if (kernels != null) {
      kernels.close();
    }
  }

  /** Collects the hyperparameters. */
  public static final class Builder {
    private @Nullable Tracker learningRate;
    private float momentum;
    private float weightDecay;

    private Builder() {}

    /**
     * Sets a constant learning rate.
     *
     * @param value \(\eta\), finite and greater than 0
     * @return this builder
     */
    public Builder setLearningRate(float value) {
      learningRate = Tracker.fixed(Hyperparameters.positive("learningRate", value));
      return this;
    }

    /**
     * Sets a learning rate that changes with the number of updates.
     *
     * @param value the tracker
     * @return this builder
     */
    public Builder setLearningRateTracker(Tracker value) {
      learningRate = value;
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
     * Sets the weight decay; none by default.
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
     * @throws NullPointerException if there is no learning rate
     */
    public DpSgd build() {
      return new DpSgd(this);
    }
  }
}
