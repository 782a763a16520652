/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.fastdp.accounting.DpEvent;
import ai.fastdp.accounting.EpsilonBound;
import ai.fastdp.accounting.GaussianEvent;
import ai.fastdp.accounting.NeighboringRelation;
import ai.fastdp.accounting.NoiseCalibration;
import ai.fastdp.accounting.PoissonSampledEvent;
import ai.fastdp.accounting.PrivacyAccountant;
import ai.fastdp.accounting.PrivacyBudget;
import ai.fastdp.accounting.RdpAccountant;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.clipping.ClippingStyle;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Everything that decides what a run's privacy costs, fixed before the run begins.
 *
 * <p>All numbers are declared by the user and public; none is read off the private data set. From
 * them the plan derives the sample rate \(q = B/N\), the number of steps \(T = \lceil E N / B
 * \rceil\), the noise multiplier \(\sigma\) (the smallest for which the accountant proves the
 * budget), the sensitivity and the event of a step. Sampler, clipper, noise and accountant are all
 * set up from one plan, so that they cannot disagree.
 *
 * <pre>{@code
 * PrivacyPlan plan =
 *     PrivacyPlan.builder()
 *         .setSampleSize(42_000)
 *         .setBatchSize(1_024)
 *         .setEpochs(10)
 *         .setBudget(new PrivacyBudget(3, 1e-5))
 *         .setClipNorm(1.0)
 *         .build();
 * }</pre>
 *
 * <p>The guarantee is \((\varepsilon, \delta)\)-differential privacy for adding or removing one
 * sample, with Poisson sampling.
 */
public final class PrivacyPlan {
  private final long sampleSize;
  private final double batchSize;
  private final long steps;
  private final double noiseMultiplier;
  private final PrivacyBudget budget;
  private final double clipNorm;
  private final ClippingFunction clipping;
  private final ClippingStyle style;
  private final Supplier<? extends PrivacyAccountant> accountant;

  private PrivacyPlan(Builder builder) {
    sampleSize = Builder.requireSet(builder.sampleSize, "sampleSize");
    clipNorm = Builder.requireSet(builder.clipNorm, "clipNorm");
    clipping = builder.clipping;
    style = builder.style;
    accountant = builder.accountant;
    batchSize = expectedBatchSize(builder, sampleSize);
    steps = stepCount(builder, sampleSize, batchSize);
    if (accountant.get().relation() != NeighboringRelation.ADD_OR_REMOVE_ONE) {
      throw new IllegalArgumentException(
          "accountant must be for adding or removing one sample, got "
              + accountant.get().relation()
              + "; Poisson sampling with a sum of clipped gradients is accounted that way");
    }
    PrivacyBudget wanted = builder.budget;
    Double declaredNoise = builder.noiseMultiplier;
    if ((wanted == null) == (declaredNoise == null)) {
      throw new IllegalStateException(
          "exactly one of budget and noiseMultiplier must be set; set the budget to have the noise"
              + " calibrated");
    }
    if (wanted != null) {
      if (builder.delta != null) {
        throw new IllegalStateException("delta must not be set beside a budget, which has its own");
      }
      budget = wanted;
      noiseMultiplier = NoiseCalibration.noiseMultiplier(accountant, wanted, sampleRate(), steps);
    } else {
      noiseMultiplier = java.util.Objects.requireNonNull(declaredNoise);
      double delta = Builder.requireSet(builder.delta, "delta");
      PrivacyAccountant whole = accountant.get();
      whole.compose(stepEvent(), steps);
      EpsilonBound bound = whole.epsilon(delta);
      double epsilon =
          bound
              .upper()
              .orElseThrow(
                  () ->
                      new IllegalArgumentException(
                          "accountant must prove upper bounds, got "
                              + whole.name()
                              + "; an estimate cannot enforce a budget"));
      // One part in 1e12 more, so that the last planned step fits in spite of rounding; and more
      // than zero where the noise is so large that the bound is zero.
      budget = new PrivacyBudget(Math.max(epsilon * (1 + 1e-12), Double.MIN_NORMAL), delta);
    }
  }

  /**
   * Starts a plan.
   *
   * @return an empty builder
   */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * The declared number of samples N.
   *
   * @return the public sample size
   */
  public long sampleSize() {
    return sampleSize;
  }

  /**
   * The expected size of a logical batch, \(B = q N\), by which the noisy sum is divided.
   *
   * @return the expected batch size
   */
  public double expectedBatchSize() {
    return batchSize;
  }

  /**
   * The probability with which every sample enters a logical batch.
   *
   * @return the sample rate q in (0, 1]
   */
  public double sampleRate() {
    return batchSize / sampleSize;
  }

  /**
   * The number of logical steps.
   *
   * @return T
   */
  public long steps() {
    return steps;
  }

  /**
   * The noise's standard deviation divided by the sensitivity.
   *
   * @return \(\sigma\)
   */
  public double noiseMultiplier() {
    return noiseMultiplier;
  }

  /**
   * The privacy that the run may spend; a step beyond it is refused.
   *
   * @return the budget
   */
  public PrivacyBudget budget() {
    return budget;
  }

  /**
   * The largest norm of one sample's contribution before noise.
   *
   * @return the clip norm R
   */
  public double clipNorm() {
    return clipNorm;
  }

  /**
   * The clipping function.
   *
   * @return the function
   */
  public ClippingFunction clipping() {
    return clipping;
  }

  /**
   * The grouping of parameters for clipping.
   *
   * @return the style
   */
  public ClippingStyle style() {
    return style;
  }

  /**
   * How much adding or removing one sample can change the clipped sum, in norm.
   *
   * @return the sensitivity, which the clipping function states
   */
  public double sensitivity() {
    return clipping.sensitivity(clipNorm);
  }

  /**
   * What one logical step releases.
   *
   * @return the Poisson-sampled Gaussian with this plan's rate and noise
   */
  public DpEvent stepEvent() {
    return new PoissonSampledEvent(sampleRate(), new GaussianEvent(noiseMultiplier));
  }

  /**
   * A fresh accountant of the plan's kind.
   *
   * @return an accountant that has composed nothing
   */
  public PrivacyAccountant newAccountant() {
    return accountant.get();
  }

  private static double expectedBatchSize(Builder builder, long sampleSize) {
    if ((builder.batchSize == null) == (builder.sampleRate == null)) {
      throw new IllegalStateException("exactly one of batchSize and sampleRate must be set");
    }
    double size =
        builder.batchSize != null
            ? builder.batchSize
            : sampleSize * Builder.requireSet(builder.sampleRate, "sampleRate");
    if (size > sampleSize) {
      throw new IllegalArgumentException(
          "batchSize must be <= sampleSize (" + sampleSize + "), got " + size);
    }
    return size;
  }

  private static long stepCount(Builder builder, long sampleSize, double batchSize) {
    if ((builder.steps == null) == (builder.epochs == null)) {
      throw new IllegalStateException("exactly one of steps and epochs must be set");
    }
    if (builder.steps != null) {
      return builder.steps;
    }
    double exact = Builder.requireSet(builder.epochs, "epochs") * sampleSize / batchSize;
    if (exact > 1e15) {
      throw new IllegalArgumentException(
          "epochs must give at most 1e15 steps, got " + exact + " steps");
    }
    return (long) Math.ceil(exact);
  }

  /** Collects the declared numbers; each is set at most once and checked when it is set. */
  public static final class Builder {
    private @Nullable Long sampleSize;
    private @Nullable Double batchSize;
    private @Nullable Double sampleRate;
    private @Nullable Double epochs;
    private @Nullable Long steps;
    private @Nullable PrivacyBudget budget;
    private @Nullable Double noiseMultiplier;
    private @Nullable Double delta;
    private @Nullable Double clipNorm;
    private ClippingFunction clipping = ClippingFunction.automatic();
    private ClippingStyle style = ClippingStyle.allLayer();
    private Supplier<? extends PrivacyAccountant> accountant = RdpAccountant::new;

    private Builder() {}

    /**
     * Sets the declared number of samples, a public number.
     *
     * @param value N, at least 1
     * @return this builder
     */
    public Builder setSampleSize(long value) {
      requireUnset(sampleSize, "sampleSize");
      sampleSize = requireAtLeastOne("sampleSize", value);
      return this;
    }

    /**
     * Sets the expected size of a logical batch; or set the sample rate.
     *
     * @param value B, from 1 to the sample size
     * @return this builder
     */
    public Builder setBatchSize(int value) {
      requireUnset(batchSize, "batchSize");
      batchSize = (double) requireAtLeastOne("batchSize", value);
      return this;
    }

    /**
     * Sets the probability with which every sample enters a batch; or set the batch size.
     *
     * @param value q, in (0, 1]
     * @return this builder
     */
    public Builder setSampleRate(double value) {
      requireUnset(sampleRate, "sampleRate");
      if (!(value > 0 && value <= 1)) {
        throw new IllegalArgumentException("sampleRate must be in (0, 1], got " + value);
      }
      sampleRate = value;
      return this;
    }

    /**
     * Sets the number of passes over the data in expectation; or set the steps.
     *
     * @param value E, finite and greater than 0; the steps are rounded up
     * @return this builder
     */
    public Builder setEpochs(double value) {
      requireUnset(epochs, "epochs");
      epochs = requirePositive("epochs", value);
      return this;
    }

    /**
     * Sets the number of logical steps; or set the epochs.
     *
     * @param value T, at least 1
     * @return this builder
     */
    public Builder setSteps(long value) {
      requireUnset(steps, "steps");
      steps = requireAtLeastOne("steps", value);
      return this;
    }

    /**
     * Sets the privacy to spend, from which the noise multiplier is calibrated; or set the noise
     * multiplier and delta.
     *
     * @param value the target epsilon and delta
     * @return this builder
     */
    public Builder setBudget(PrivacyBudget value) {
      requireUnset(budget, "budget");
      budget = value;
      return this;
    }

    /**
     * Sets the noise multiplier; epsilon then follows from delta.
     *
     * @param value \(\sigma\), finite and greater than 0
     * @return this builder
     */
    public Builder setNoiseMultiplier(double value) {
      requireUnset(noiseMultiplier, "noiseMultiplier");
      noiseMultiplier = requirePositive("noiseMultiplier", value);
      return this;
    }

    /**
     * Sets the delta at which epsilon is stated, where the noise multiplier is set.
     *
     * @param value \(\delta\), in (0, 1)
     * @return this builder
     */
    public Builder setDelta(double value) {
      requireUnset(delta, "delta");
      if (!(value > 0 && value < 1)) {
        throw new IllegalArgumentException("delta must be in (0, 1), got " + value);
      }
      delta = value;
      return this;
    }

    /**
     * Sets the clip norm.
     *
     * @param value R, finite and greater than 0
     * @return this builder
     */
    public Builder setClipNorm(double value) {
      requireUnset(clipNorm, "clipNorm");
      clipNorm = requirePositive("clipNorm", value);
      return this;
    }

    /**
     * Chooses the clipping function; automatic clipping by default.
     *
     * @param value the function
     * @return this builder
     */
    public Builder optClipping(ClippingFunction value) {
      clipping = value;
      return this;
    }

    /**
     * Chooses the clipping style; all layers together by default.
     *
     * @param value the style
     * @return this builder
     */
    public Builder optStyle(ClippingStyle value) {
      style = value;
      return this;
    }

    /**
     * Chooses the accountant; Renyi differential privacy by default.
     *
     * @param value makes accountants that have composed nothing and that prove upper bounds
     * @return this builder
     */
    public Builder optAccountant(Supplier<? extends PrivacyAccountant> value) {
      accountant = value;
      return this;
    }

    /**
     * Checks that the numbers fit together and calibrates the noise.
     *
     * @return the plan
     * @throws IllegalStateException if a number is missing or one too many is set
     * @throws IllegalArgumentException if the budget is out of reach
     */
    public PrivacyPlan build() {
      return new PrivacyPlan(this);
    }

    private static <T> T requireSet(@Nullable T value, String name) {
      if (value == null) {
        throw new IllegalStateException(name + " must be set");
      }
      return value;
    }

    private static void requireUnset(@Nullable Object value, String name) {
      if (value != null) {
        throw new IllegalStateException(name + " must be set once, got " + value + " before");
      }
    }

    private static long requireAtLeastOne(String name, long value) {
      if (value < 1) {
        throw new IllegalArgumentException(name + " must be >= 1, got " + value);
      }
      return value;
    }

    private static double requirePositive(String name, double value) {
      if (!(value > 0) || value == Double.POSITIVE_INFINITY) {
        throw new IllegalArgumentException(name + " must be finite and > 0, got " + value);
      }
      return value;
    }
  }
}
