/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.plan;

import ai.fastdp.accounting.accountant.PrivacyAccountant;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.accountant.RdpAccountant;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.clipping.ClippingStyle;
import java.util.OptionalDouble;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Collects the numbers that a {@link PrivacyPlan} is made of. Each is set at most once, and checked
 * when it is set.
 */
public final class PrivacyPlanBuilder {
  private @Nullable Long datasetSize;
  private @Nullable Double batchSize;
  private @Nullable Double sampleRate;
  private @Nullable Double epochs;
  private @Nullable Long steps;
  private @Nullable PrivacyBudget budget;
  private @Nullable Double noiseMultiplier;
  private @Nullable Double delta;
  private @Nullable Double clipNorm;
  private @Nullable StepSchedule clipNormSchedule;
  private @Nullable StepSchedule noiseSchedule;
  private boolean largeDelta;
  private boolean largeEpsilon;
  private ClippingFunction clipping = ClippingFunction.automatic();
  private ClippingStyle style = ClippingStyle.allLayer();
  private NoiseDistribution noise = NoiseDistribution.GAUSSIAN;
  private Supplier<? extends PrivacyAccountant> accountant = RdpAccountant::new;

  PrivacyPlanBuilder() {}

  /**
   * Sets the declared number of samples, a public number.
   *
   * @param value N, at least 1
   * @return this builder
   */
  public PrivacyPlanBuilder setDatasetSize(long value) {
    requireUnset(datasetSize, "datasetSize");
    datasetSize = requireAtLeastOne("datasetSize", value);
    return this;
  }

  /**
   * Sets the expected size of a logical batch; or set the sample rate.
   *
   * @param value B, from 1 to the dataset size
   * @return this builder
   */
  public PrivacyPlanBuilder setBatchSize(int value) {
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
  public PrivacyPlanBuilder setSampleRate(double value) {
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
  public PrivacyPlanBuilder setEpochs(double value) {
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
  public PrivacyPlanBuilder setSteps(long value) {
    requireUnset(steps, "steps");
    steps = requireAtLeastOne("steps", value);
    return this;
  }

  /**
   * Sets the privacy to spend, from which the noise multiplier is calibrated; or set the noise
   * multiplier and delta.
   *
   * @param value the target epsilon, at most 100 but for {@link #optLargeEpsilon}, and delta, below
   *     1 / N but for {@link #optLargeDelta}
   * @return this builder
   */
  public PrivacyPlanBuilder setBudget(PrivacyBudget value) {
    requireUnset(budget, "budget");
    budget = value;
    return this;
  }

  /**
   * Sets the noise multiplier of the gradients; epsilon then follows from delta. A quantile query
   * of adaptive clipping comes on top and is charged.
   *
   * @param value \(\sigma\), finite and greater than 0
   * @return this builder
   */
  public PrivacyPlanBuilder setNoiseMultiplier(double value) {
    requireUnset(noiseMultiplier, "noiseMultiplier");
    noiseMultiplier = requirePositive("noiseMultiplier", value);
    return this;
  }

  /**
   * Sets the delta at which epsilon is stated, where the noise multiplier is set.
   *
   * @param value \(\delta\), in (0, 1), and below 1 / N but for {@link #optLargeDelta}
   * @return this builder
   */
  public PrivacyPlanBuilder setDelta(double value) {
    requireUnset(delta, "delta");
    if (!(value > 0 && value < 1)) {
      throw new IllegalArgumentException("delta must be in (0, 1), got " + value);
    }
    delta = value;
    return this;
  }

  /**
   * Sets the clip norm, unless the style gives the groups' clip norms.
   *
   * <p>With automatic clipping, the default, every contribution has about this norm, so that R only
   * scales the gradient, noise included. For SGD it acts like a factor of the learning rate; Adam,
   * AdamW and LAMB divide by the gradient's size and hardly change with it. Tune the learning rate
   * and leave R alone.
   *
   * @param value R, finite and greater than 0
   * @return this builder
   */
  public PrivacyPlanBuilder setClipNorm(double value) {
    requireUnset(clipNorm, "clipNorm");
    clipNorm = requirePositive("clipNorm", value);
    return this;
  }

  /**
   * Permits a delta of 1/N or more, N being the dataset size; refused otherwise. Such a delta
   * allows a run that publishes one sample picked at random. Tests may need it, and data in which
   * persons occur several times, so that N does not count them.
   *
   * @return this builder
   */
  public PrivacyPlanBuilder optLargeDelta() {
    largeDelta = true;
    return this;
  }

  /**
   * Permits an epsilon above 100, declared or following from the noise multiplier; refused
   * otherwise. Such a run promises next to nothing; baselines with clipping and hardly any noise
   * may need it, and tests.
   *
   * @return this builder
   */
  public PrivacyPlanBuilder optLargeEpsilon() {
    largeEpsilon = true;
    return this;
  }

  /**
   * Multiplies the clip norm by a factor for each step: clipping and noise follow it together, and
   * the privacy cost does not change.
   *
   * @param value the factors; asked for once for each step, at most 1,000,000 of them
   * @return this builder
   */
  public PrivacyPlanBuilder optClipNormSchedule(StepSchedule value) {
    requireUnset(clipNormSchedule, "clipNormSchedule");
    clipNormSchedule = value;
    return this;
  }

  /**
   * Multiplies the noise multiplier by a factor for each step: noise and event follow it together.
   * With a budget, the noise multiplier is calibrated for the run with these factors. Factors are
   * rounded up to powers of \(2^{1/64}\), so that there are few different events.
   *
   * @param value the factors; asked for once for each step, at most 1,000,000 of them
   * @return this builder
   */
  public PrivacyPlanBuilder optNoiseSchedule(StepSchedule value) {
    requireUnset(noiseSchedule, "noiseSchedule");
    noiseSchedule = value;
    return this;
  }

  /**
   * Chooses the clipping function; automatic clipping by default.
   *
   * @param value the function
   * @return this builder
   */
  public PrivacyPlanBuilder optClipping(ClippingFunction value) {
    clipping = value;
    return this;
  }

  /**
   * Chooses the clipping style; all layers together by default.
   *
   * @param value the style
   * @return this builder
   */
  public PrivacyPlanBuilder optStyle(ClippingStyle value) {
    style = value;
    return this;
  }

  /**
   * Chooses what the noise is drawn from; {@link NoiseDistribution#GAUSSIAN} by default.
   *
   * @param value the distribution
   * @return this builder
   */
  public PrivacyPlanBuilder optNoise(NoiseDistribution value) {
    noise = value;
    return this;
  }

  /**
   * Chooses the accountant; Renyi differential privacy by default.
   *
   * @param value makes accountants that have composed nothing and that prove upper bounds
   * @return this builder
   */
  public PrivacyPlanBuilder optAccountant(Supplier<? extends PrivacyAccountant> value) {
    accountant = value;
    return this;
  }

  /**
   * Checks that the numbers fit together and calibrates the noise.
   *
   * @return the plan
   * @throws IllegalStateException if a number is missing or one too many is set
   * @throws IllegalArgumentException if the budget is out of reach, or if delta or epsilon is too
   *     large to promise anything
   */
  public PrivacyPlan build() {
    long samples = requireSet(datasetSize, "datasetSize");
    double wholeClipNorm = wholeClipNorm();
    double expectedBatchSize = expectedBatchSize(samples);
    long stepCount = stepCount(samples, expectedBatchSize);
    if (clipNormSchedule != null && clipping.quantileQuery().isPresent()) {
      throw new IllegalStateException(
          "clipNormSchedule must not be set beside adaptive clipping, which sets the clip norm of"
              + " every step itself");
    }
    StepClipping stepClipping =
        new StepClipping(
            clipping, style, wholeClipNorm, StepFactors.ofClipNorm(clipNormSchedule, stepCount));
    RunEvents events =
        new RunEvents(
            expectedBatchSize / samples,
            stepCount,
            noise,
            clipping.quantileQuery(),
            StepFactors.ofNoise(noiseSchedule, stepCount));
    PlanCalibration calibration =
        new PlanCalibration(events, accountant, samples, largeDelta, largeEpsilon);
    PlanCalibration.Result calibrated = calibrate(calibration);
    PlanCalibration.requireUsableNoise(
        events, stepClipping, calibrated.noiseMultiplier(), expectedBatchSize);
    return new PrivacyPlan(
        samples, expectedBatchSize, stepClipping, events, accountant, calibrated);
  }

  private PlanCalibration.Result calibrate(PlanCalibration calibration) {
    requireOne(budget, noiseMultiplier, "budget", "noiseMultiplier");
    if (budget == null) {
      return calibration.ofNoise(
          requireSet(noiseMultiplier, "noiseMultiplier"), requireSet(delta, "delta"));
    }
    if (delta != null) {
      throw new IllegalStateException("delta must not be set beside a budget, which has its own");
    }
    return calibration.ofBudget(budget);
  }

  /** Returns the declared clip norm, or that of a style which states its groups' clip norms. */
  private double wholeClipNorm() {
    OptionalDouble ofStyle = style.clipNorm();
    if (ofStyle.isEmpty()) {
      return requireSet(clipNorm, "clipNorm");
    }
    if (clipNorm != null) {
      throw new IllegalStateException(
          "clipNorm must not be set beside a style that gives the groups' clip norms; it is the"
              + " root of the sum of their squares, "
              + ofStyle.getAsDouble());
    }
    return ofStyle.getAsDouble();
  }

  private double expectedBatchSize(long samples) {
    requireOne(batchSize, sampleRate, "batchSize", "sampleRate");
    double size = batchSize != null ? batchSize : samples * requireSet(sampleRate, "sampleRate");
    if (size > samples) {
      throw new IllegalArgumentException(
          "batchSize must be <= datasetSize (" + samples + "), got " + size);
    }
    return size;
  }

  private long stepCount(long samples, double expectedBatchSize) {
    requireOne(steps, epochs, "steps", "epochs");
    if (steps != null) {
      return steps;
    }
    double exact = requireSet(epochs, "epochs") * samples / expectedBatchSize;
    if (exact > 1e15) {
      throw new IllegalArgumentException(
          "epochs must give at most 1e15 steps, got " + exact + " steps");
    }
    return (long) Math.ceil(exact);
  }

  private static void requireOne(
      @Nullable Object first, @Nullable Object second, String firstName, String secondName) {
    if ((first == null) == (second == null)) {
      throw new IllegalStateException(
          "exactly one of "
              + firstName
              + " and "
              + secondName
              + " must be set, got "
              + (first == null ? "none; set one of them" : "both; leave one out"));
    }
  }

  private static <T> T requireSet(@Nullable T value, String name) {
    if (value == null) {
      throw new IllegalStateException(name + " must be set, got none; set it on the builder");
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
