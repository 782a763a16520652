/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

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
    adam = builder.adam(false);
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
      return new DpAdam(this);
    }
  }
}
