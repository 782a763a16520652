/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

import java.util.List;

/**
 * AdaGrad on privatized gradients.
 *
 * <p>\(d = g + \lambda w\), \(h \leftarrow h + d^2\), \(w \leftarrow w - \eta \frac{d}{\sqrt h +
 * \epsilon}\), h zero at first.
 *
 * <p>This is what DJL documents its {@code Adagrad} to be and what PyTorch's is; DJL has none for
 * PyTorch. One call updates all parameters.
 *
 * @see <a href="https://jmlr.org/papers/v12/duchi11a.html">Duchi, Hazan and Singer 2011, Figure
 *     1</a>
 */
public final class DpAdagrad extends ListOptimizer {
  private static final String SQUARES = "squares";

  private final float epsilon;
  private final float weightDecay;

  private DpAdagrad(Builder builder) {
    super(new Rule("DpAdagrad", List.of(SQUARES), List.of()), builder.learningRate());
    epsilon = builder.epsilon();
    weightDecay = builder.weightDecay();
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
  void apply(Update update) {
    update.run(
        "adagrad",
        update.weights(),
        update.gradients(),
        update.array(SQUARES),
        update.counts(update.weights().size()),
        update.learningRate(),
        (double) weightDecay,
        (double) epsilon,
        update.onCpu());
  }

  /** Collects the hyperparameters; all have DJL's defaults, epsilon 1e-8 and the weight decay 0. */
  public static final class Builder extends AdaptiveBuilder<Builder> {
    private Builder() {
      super(0, 1e-8f);
    }

    @Override
    Builder self() {
      return this;
    }

    /**
     * Checks the hyperparameters.
     *
     * @return the optimizer
     * @throws IllegalArgumentException if one is out of range
     */
    public DpAdagrad build() {
      return new DpAdagrad(this);
    }
  }
}
