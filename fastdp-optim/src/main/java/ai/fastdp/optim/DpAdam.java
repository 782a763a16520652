/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

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
public final class DpAdam extends ListOptimizer {
  private final AdamRule rule;

  private DpAdam(AdamRule rule, Builder builder) {
    super(rule.rule("DpAdam"), builder.learningRate());
    this.rule = rule;
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
    rule.apply(update);
  }

  /** Collects the hyperparameters; all have DJL's defaults, the weight decay 0. */
  public static final class Builder extends AdamBuilder<Builder> {
    private Builder() {
      super(0);
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
    public DpAdam build() {
      return new DpAdam(rule(false), this);
    }
  }
}
