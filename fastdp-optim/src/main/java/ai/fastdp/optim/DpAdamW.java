/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

/**
 * Adam on privatized gradients, with weight decay apart from the gradient.
 *
 * <p>\(w \leftarrow w - \eta \lambda w\), then \(m \leftarrow \beta_1 m + (1-\beta_1) g\), \(v
 * \leftarrow \beta_2 v + (1-\beta_2) g^2\), \(w \leftarrow w - \eta
 * \frac{\sqrt{1-\beta_2^t}}{1-\beta_1^t} \frac{m}{\sqrt v + \epsilon}\)
 *
 * <p>The numbers are those of DJL's {@code AdamW} fed the same gradients, in one call for all
 * parameters.
 *
 * @see <a href="https://arxiv.org/abs/1711.05101">Loshchilov and Hutter 2017, Algorithm 2</a>
 */
public final class DpAdamW extends ListOptimizer {
  private final AdamRule rule;

  private DpAdamW(AdamRule rule, Builder builder) {
    super(rule.rule("DpAdamW"), builder.learningRate());
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

  /** Collects the hyperparameters; all have DJL's defaults, the weight decay 0.01. */
  public static final class Builder extends AdamBuilder<Builder> {
    private Builder() {
      super(0.01f);
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
    public DpAdamW build() {
      return new DpAdamW(rule(true), this);
    }
  }
}
