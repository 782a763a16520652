/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.nn.Parameter;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Predicate;

/**
 * LAMB on privatized gradients: Adam's direction, with a step for each parameter in proportion to
 * the norm of its weights.
 *
 * <p>\(m \leftarrow \beta_1 m + (1-\beta_1) g\), \(v \leftarrow \beta_2 v + (1-\beta_2) g^2\),
 * \(\hat m = m / (1-\beta_1^t)\), \(\hat v = v / (1-\beta_2^t)\), \(r = \hat m / (\sqrt{\hat v} +
 * \epsilon)\), \(u = r + \lambda w\), \(w \leftarrow w - \eta \frac{\phi(\|w\|)}{\|u\|} u\).
 *
 * <p>This is the paper's algorithm with bias correction, "layer" being one parameter array and the
 * norms Euclidean. \(\phi(z) = \min(\max(z, \gamma_l), \gamma_u)\), the identity by default. The
 * ratio is 1 where \(\phi(\|w\|)\) or \(\|u\|\) is 0, so that weights that begin at zero can move.
 * Biases and the scales and shifts of norms have neither decay nor ratio by default, as in the
 * authors' program: they take Adam's step \(w \leftarrow w - \eta r\).
 *
 * <p>The noise is in \(\|u\|\) as it is in u: a parameter whose gradient is mostly noise takes a
 * step of the same length as any other of its norm.
 *
 * @see <a href="https://arxiv.org/abs/1904.00962">You et al. 2019, Algorithm 2</a>
 */
public final class DpLamb extends ListOptimizer {
  private final float beta1;
  private final float beta2;
  private final float epsilon;
  private final float weightDecay;
  private final double leastNorm;
  private final double largestNorm;
  private final Predicate<Parameter> adapted;

  private DpLamb(Builder builder) {
    super(
        new Rule("DpLamb", List.of(AdamRule.MEAN, AdamRule.VARIANCE), List.of()),
        builder.learningRate());
    beta1 = builder.beta1();
    beta2 = builder.beta2();
    epsilon = builder.epsilon();
    weightDecay = builder.weightDecay();
    leastNorm = Hyperparameters.nonNegative("least weight norm", builder.leastNorm);
    largestNorm = builder.largestNorm;
    if (!(largestNorm > leastNorm)) {
      throw new IllegalArgumentException(
          "largest weight norm must be > the least, got "
              + largestNorm
              + " and "
              + leastNorm
              + "; leave the bounds out for none");
    }
    adapted = builder.adapted;
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
    Part layers = new Part();
    Part others = new Part();
    List<Parameter> parameters = update.parameters();
    for (int k = 0; k < parameters.size(); k++) {
      (adapted.test(parameters.get(k)) ? layers : others).add(update, k);
    }
    if (!others.weights.isEmpty()) {
      update.run(
          "adam",
          others.weights,
          others.gradients,
          others.means,
          others.variances,
          update.counts(others.weights.size()),
          update.learningRate(),
          (double) beta1,
          (double) beta2,
          0.0,
          (double) epsilon,
          false);
    }
    if (!layers.weights.isEmpty()) {
      adapt(update, layers);
    }
  }

  private void adapt(Update update, Part layers) {
    NDList squaredNorms =
        update.run(
            "lamb_moments",
            layers.weights,
            layers.gradients,
            layers.means,
            layers.variances,
            update.count(),
            (double) beta1,
            (double) beta2,
            (double) weightDecay,
            (double) epsilon,
            update.block());
    double[] weightNorms = squaredNorms.get(0).toDoubleArray();
    double[] updateNorms = squaredNorms.get(1).toDoubleArray();
    double[] rates = new double[weightNorms.length];
    for (int k = 0; k < rates.length; k++) {
      rates[k] =
          update.learningRate() * ratio(Math.sqrt(weightNorms[k]), Math.sqrt(updateNorms[k]));
    }
    update.run(
        "lamb_step",
        layers.weights,
        layers.means,
        layers.variances,
        rates,
        1 - Math.pow(beta1, update.number()),
        1 - Math.pow(beta2, update.number()),
        (double) weightDecay,
        (double) epsilon,
        update.block());
  }

  private double ratio(double weightNorm, double updateNorm) {
    double bounded = Math.min(Math.max(weightNorm, leastNorm), largestNorm);
    return bounded > 0 && updateNorm > 0 ? bounded / updateNorm : 1;
  }

  /** Some of the parameters with what belongs to them. */
  private static final class Part {
    final List<NDArray> weights = new ArrayList<>();
    final List<NDArray> gradients = new ArrayList<>();
    final List<NDArray> means = new ArrayList<>();
    final List<NDArray> variances = new ArrayList<>();

    void add(Update update, int k) {
      weights.add(update.weights().get(k));
      gradients.add(update.gradients().get(k));
      means.add(update.array(AdamRule.MEAN).get(k));
      variances.add(update.array(AdamRule.VARIANCE).get(k));
    }
  }

  /** Collects the hyperparameters; epsilon is 1e-6 and the weight decay 0.01 by default. */
  public static final class Builder extends MomentBuilder<Builder> {
    private float leastNorm;
    private float largestNorm = Float.POSITIVE_INFINITY;
    private Predicate<Parameter> adapted = Builder::isWeight;

    private Builder() {
      super(0.01f, 1e-6f);
    }

    private static boolean isWeight(Parameter parameter) {
      return switch (parameter.getType()) {
        case BIAS, GAMMA, BETA -> false;
        default -> true;
      };
    }

    @Override
    Builder self() {
      return this;
    }

    /**
     * Bounds the weights' norm in the ratio; no bounds by default.
     *
     * @param least \(\gamma_l\), finite and at least 0
     * @param largest \(\gamma_u\), greater than the least
     * @return this builder
     */
    public Builder optWeightNormBounds(float least, float largest) {
      leastNorm = least;
      largestNorm = largest;
      return this;
    }

    /**
     * Chooses the parameters with weight decay and a step in proportion to their norm; all but
     * biases and the scales and shifts of norms by default.
     *
     * @param value true for a parameter that has them; it must not change during training
     * @return this builder
     */
    public Builder optAdapted(Predicate<Parameter> value) {
      adapted = Objects.requireNonNull(value, "adapted");
      return this;
    }

    /**
     * Checks the hyperparameters.
     *
     * @return the optimizer
     * @throws IllegalArgumentException if one is out of range
     */
    public DpLamb build() {
      return new DpLamb(this);
    }
  }
}
