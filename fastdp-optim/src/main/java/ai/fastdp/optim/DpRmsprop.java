/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

import ai.djl.ndarray.NDArray;
import java.util.ArrayList;
import java.util.List;

/**
 * RMSProp on privatized gradients, plain or centered, with or without momentum.
 *
 * <p>\(d = g + \lambda w\), \(v \leftarrow \rho v + (1-\rho) d^2\), \(r = \sqrt v + \epsilon\);
 * centered \(m \leftarrow \rho m + (1-\rho) d\), \(r = \sqrt{\max(v - m^2, 0)} + \epsilon\). Then
 * \(w \leftarrow w - \eta d / r\), with momentum \(u \leftarrow \mu u + \eta d / r\), \(w
 * \leftarrow w - u\).
 *
 * <p>At a constant learning rate the numbers are those of PyTorch's. DJL has none for PyTorch; its
 * {@code RmsProp} for other engines has a momentum of 0.9 when centered and ignores the momentum
 * when not, where this one takes what is set, none by default.
 *
 * @see <a href="https://arxiv.org/abs/1308.0850">Graves 2013, equations 38 to 41 (centered)</a>
 */
public final class DpRmsprop extends ListOptimizer {
  private static final String SQUARES = "squares";
  private static final String MEAN = "mean";
  private static final String VELOCITY = "velocity";

  private final float rho;
  private final float momentum;
  private final float epsilon;
  private final float weightDecay;
  private final boolean centered;

  private DpRmsprop(Builder builder, float rho, float momentum) {
    super(
        new Rule("DpRmsprop", arrays(builder.centered, momentum), List.of()),
        builder.learningRate());
    this.rho = rho;
    this.momentum = momentum;
    centered = builder.centered;
    epsilon = builder.epsilon();
    weightDecay = builder.weightDecay();
  }

  private static List<String> arrays(boolean centered, float momentum) {
    List<String> names = new ArrayList<>(List.of(SQUARES));
    if (centered) {
      names.add(MEAN);
    }
    if (momentum != 0) {
      names.add(VELOCITY);
    }
    return names;
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
    List<NDArray> none = List.of();
    update.run(
        "rmsprop",
        update.weights(),
        update.gradients(),
        update.array(SQUARES),
        centered ? update.array(MEAN) : none,
        momentum == 0 ? none : update.array(VELOCITY),
        update.learningRate(),
        (double) rho,
        (double) momentum,
        (double) weightDecay,
        (double) epsilon,
        update.block(),
        update.onCpu() ? List.of(update.count()) : none);
  }

  /** Collects the hyperparameters; epsilon is 1e-8 and the weight decay 0 by default. */
  public static final class Builder extends AdaptiveBuilder<Builder> {
    private float rho = 0.9f;
    private float momentum;
    private boolean centered;

    private Builder() {
      super(0, 1e-8f);
    }

    @Override
    Builder self() {
      return this;
    }

    /**
     * Sets the decay of the averages; 0.9 by default.
     *
     * @param value \(\rho\), in [0, 1)
     * @return this builder
     */
    public Builder optRho(float value) {
      rho = value;
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
     * Chooses the variance of the gradients in place of their second moment; off by default.
     *
     * @param value true for the variance
     * @return this builder
     */
    public Builder optCentered(boolean value) {
      centered = value;
      return this;
    }

    /**
     * Checks the hyperparameters.
     *
     * @return the optimizer
     * @throws IllegalArgumentException if one is out of range
     */
    public DpRmsprop build() {
      return new DpRmsprop(
          this,
          Hyperparameters.belowOne("rho", rho),
          Hyperparameters.belowOne("momentum", momentum));
    }
  }
}
