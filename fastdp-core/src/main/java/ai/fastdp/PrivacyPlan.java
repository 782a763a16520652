/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.fastdp.accounting.accountant.EpsilonBound;
import ai.fastdp.accounting.accountant.PrivacyAccountant;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.accountant.RdpAccountant;
import ai.fastdp.accounting.calibration.NoiseCalibration;
import ai.fastdp.accounting.event.ComposedEvent;
import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.event.PoissonSampledEvent;
import ai.fastdp.accounting.event.SelfComposedEvent;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.clipping.ClippingStyle;
import ai.fastdp.clipping.QuantileQuery;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.DoubleUnaryOperator;
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
 * <p>Clip norm and noise multiplier may follow schedules, public functions of the step number, and
 * the clip norm may follow the data privately (adaptive clipping). Whatever one step's clip norm
 * and noise multiplier are, its clip factors, its noise and its event are made of the same two
 * numbers.
 *
 * <pre>{@code
 * PrivacyPlan plan =
 *     PrivacyPlan.builder()
 *         .setDatasetSize(42_000)
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
  // Steps between a factor of the noise and its double.
  private static final double NOISE_GRID = 64;
  // Adaptive clipping moves within these multiples of the plan's clip norm.
  private static final double SMALLEST_ADAPTED = 1e-6;
  private static final double LARGEST_ADAPTED = 1e6;
  // Beyond it the guarantee says next to nothing about anyone.
  private static final double LARGEST_EPSILON = 100;

  private final long datasetSize;
  private final double batchSize;
  private final long steps;
  private final double noiseMultiplier;
  private final PrivacyBudget budget;
  private final double clipNorm;
  private final ClippingFunction clipping;
  private final ClippingStyle style;
  private final NoiseDistribution noise;
  private final StepFactors clipNormFactors;
  private final StepFactors noiseFactors;
  private final Supplier<? extends PrivacyAccountant> accountant;

  private PrivacyPlan(Builder builder) {
    datasetSize = Builder.requireSet(builder.datasetSize, "datasetSize");
    clipping = builder.clipping;
    style = builder.style;
    noise = builder.noise;
    clipNorm = wholeClipNorm(builder, style);
    accountant = builder.accountant;
    batchSize = expectedBatchSize(builder, datasetSize);
    steps = stepCount(builder, datasetSize, batchSize);
    if (builder.clipNormSchedule != null && clipping.quantileQuery().isPresent()) {
      throw new IllegalStateException(
          "clipNormSchedule must not be set beside adaptive clipping, which sets the clip norm of"
              + " every step itself");
    }
    clipNormFactors =
        StepFactors.of(
            "clipNormSchedule", builder.clipNormSchedule, steps, DoubleUnaryOperator.identity());
    noiseFactors =
        StepFactors.of("noiseSchedule", builder.noiseSchedule, steps, PrivacyPlan::onGrid);
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
      requireMeaningful(builder, wanted);
      requireAffordableQueries(wanted);
      noiseMultiplier = NoiseCalibration.noiseMultiplier(accountant, wanted, this::runEvent);
    } else {
      noiseMultiplier = java.util.Objects.requireNonNull(declaredNoise);
      double delta = Builder.requireSet(builder.delta, "delta");
      PrivacyAccountant whole = accountant.get();
      whole.compose(runEvent(noiseMultiplier));
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
      requireMeaningful(builder, budget);
    }
    requireUsableNoise();
  }

  /** Refuses numbers that promise next to nothing, unless they were asked for by name. */
  private void requireMeaningful(Builder builder, PrivacyBudget promised) {
    if (!builder.largeDelta && promised.delta() >= 1.0 / datasetSize) {
      throw new IllegalArgumentException(
          "delta must be < 1 / datasetSize ("
              + 1.0 / datasetSize
              + "), got "
              + promised.delta()
              + ", which allows a run that publishes whole samples; choose it well below, or call"
              + " optLargeDelta()");
    }
    if (!builder.largeEpsilon && !(promised.epsilon() <= LARGEST_EPSILON)) {
      throw new IllegalArgumentException(
          "epsilon must be <= "
              + LARGEST_EPSILON
              + ", got "
              + promised.epsilon()
              + (builder.noiseMultiplier == null
                  ? "; choose a smaller one"
                  : " from noiseMultiplier "
                      + builder.noiseMultiplier
                      + "; raise the noiseMultiplier or take fewer steps")
              + ", or call optLargeEpsilon()");
    }
  }

  private static double wholeClipNorm(Builder builder, ClippingStyle style) {
    OptionalDouble ofStyle = style.clipNorm();
    if (ofStyle.isEmpty()) {
      return Builder.requireSet(builder.clipNorm, "clipNorm");
    }
    if (builder.clipNorm != null) {
      throw new IllegalStateException(
          "clipNorm must not be set beside a style that gives the groups' clip norms; it is the"
              + " root of the sum of their squares, "
              + ofStyle.getAsDouble());
    }
    return ofStyle.getAsDouble();
  }

  /** The next power of \(2^{1/64}\), so that a smooth schedule has few different events. */
  private static double onGrid(double factor) {
    double steps = Math.log(factor) / Math.log(2) * NOISE_GRID;
    // A power itself may come out above itself by rounding.
    return Math.pow(2, Math.ceil(steps - 1e-9) / NOISE_GRID);
  }

  /** Counts of unclipped samples have a price of their own, which no gradient noise lowers. */
  private void requireAffordableQueries(PrivacyBudget wanted) {
    clipping
        .quantileQuery()
        .ifPresent(
            query -> {
              PrivacyAccountant alone = accountant.get();
              alone.compose(
                  new PoissonSampledEvent(sampleRate(), noise.count(query.countNoise())), steps);
              EpsilonBound bound = alone.epsilon(wanted.delta());
              if (!bound.isProvenWithin(wanted.epsilon())) {
                throw new IllegalArgumentException(
                    "countNoise must be large enough for the quantile queries alone to stay within"
                        + " epsilon "
                        + wanted.epsilon()
                        + ", got "
                        + query.countNoise()
                        + ", which costs "
                        + bound.upper()
                        + "; raise countNoise (and the batch size with it)");
              }
            });
  }

  /** Checks what noise the mechanism will be asked for, before anything is trained. */
  private void requireUsableNoise() {
    if (clipping.quantileQuery().isPresent()) {
      requireUsableNoise(clipNorm * SMALLEST_ADAPTED);
      requireUsableNoise(clipNorm * LARGEST_ADAPTED);
    } else if (clipNormFactors.isConstant()) {
      requireUsableNoise(clipNorm);
    } else {
      for (long t = 0; t < steps; t++) {
        requireUsableNoise(clipNorm(t));
      }
    }
  }

  private void requireUsableNoise(double ofClipNorm) {
    for (double factor : noiseFactors.counts(steps).keySet()) {
      noise.requireUsable(noiseMultiplier * factor);
      double deviation = noiseMultiplier * factor * clipping.sensitivity(ofClipNorm) / batchSize;
      if (!(deviation >= 1e-18 && deviation <= 1e18)) {
        throw new IllegalArgumentException(
            "noiseMultiplier * sensitivity / expectedBatchSize must be in [1e-18, 1e18], got "
                + deviation
                + "; scale the loss");
      }
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
   * @return the public dataset size
   */
  public long datasetSize() {
    return datasetSize;
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
    return batchSize / datasetSize;
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
   * The standard deviation of the gradients' noise divided by the sensitivity; before the factor of
   * a noise schedule.
   *
   * @return \(\sigma\)
   */
  public double noiseMultiplier() {
    return noiseMultiplier;
  }

  /**
   * The noise multiplier of a step.
   *
   * @param step the number of logical steps before it
   * @return \(\sigma\) times the schedule's factor, rounded up to a power of \(2^{1/64}\)
   */
  public double noiseMultiplier(long step) {
    return noiseMultiplier * noiseFactors.at(step);
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
   * The largest norm of one sample's contribution before noise; before the factor of a schedule,
   * and the first step's where clipping is adaptive.
   *
   * @return the clip norm R
   */
  public double clipNorm() {
    return clipNorm;
  }

  /**
   * The clip norm that the schedule gives a step; where clipping is adaptive, the first step's.
   *
   * @param step the number of logical steps before it
   * @return R times the schedule's factor
   */
  public double clipNorm(long step) {
    return clipNorm * clipNormFactors.at(step);
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
   * What the noise is drawn from.
   *
   * @return the distribution
   */
  public NoiseDistribution noise() {
    return noise;
  }

  /**
   * How much adding or removing one sample can change the clipped sum, in norm, at the clip norm
   * {@link #clipNorm()}.
   *
   * @return the sensitivity, which the clipping function states
   */
  public double sensitivity() {
    return clipping.sensitivity(clipNorm);
  }

  /**
   * What a logical step releases: a Poisson-sampled Gaussian, and with adaptive clipping the
   * quantile query of the same sample.
   *
   * @param step the number of logical steps before it
   * @return the event with this plan's rate and noise
   */
  public DpEvent stepEvent(long step) {
    return stepEventWith(noiseMultiplier(step));
  }

  /**
   * What the whole run releases.
   *
   * @return the events of all steps
   */
  public DpEvent runEvent() {
    return runEvent(noiseMultiplier);
  }

  private DpEvent runEvent(double sigma) {
    List<DpEvent> parts = new ArrayList<>();
    noiseFactors
        .counts(steps)
        .forEach(
            (factor, count) ->
                parts.add(new SelfComposedEvent(stepEventWith(sigma * factor), count)));
    return parts.size() == 1 ? parts.get(0) : new ComposedEvent(parts);
  }

  private DpEvent stepEventWith(double sigma) {
    DpEvent gradient = noise.gradient(sigma);
    Optional<QuantileQuery> query = clipping.quantileQuery();
    return new PoissonSampledEvent(
        sampleRate(),
        query.isEmpty()
            ? gradient
            : new ComposedEvent(List.of(gradient, noise.count(query.get().countNoise()))));
  }

  /** What a step uses, all of it from this plan and the state of clipping. */
  StepPlan step(long step, ClippingState state) {
    double clipped = noise.clipShare() * state.clipNorm();
    return new StepPlan(
        clipped,
        clipping.sensitivity(clipped) / noise.clipShare(),
        noiseMultiplier(step),
        stepEvent(step));
  }

  /** What contributions are clipped to, for a statement. */
  String clippingInWords() {
    String norms;
    if (clipping.quantileQuery().isPresent()) {
      norms = "a norm that follows a private quantile query, " + clipNorm + " at the first step";
    } else if (clipNormFactors.isConstant()) {
      norms = "norm " + clipNorm;
    } else {
      norms = "norm " + clipNorm + " times the factors of a schedule that was set before the run";
    }
    return noise.clipShare() < 1
        ? norms + ", less " + (1 - noise.clipShare()) + " of it for rounding,"
        : norms;
  }

  /** Whether all steps have the same clip norm and noise multiplier before clipping adapts. */
  boolean isConstant() {
    return clipNormFactors.isConstant() && noiseFactors.isConstant();
  }

  /** The state of clipping before a step, as far as it is known before the run. */
  ClippingState scheduledClipping(long step) {
    return new ClippingState(clipNorm(step));
  }

  /** The state of clipping after a step whose quantile query had this noisy answer. */
  ClippingState adaptedClipping(ClippingState before, QuantileQuery query, double noisyFraction) {
    double next = query.next(before.clipNorm(), noisyFraction);
    return new ClippingState(
        Math.max(clipNorm * SMALLEST_ADAPTED, Math.min(clipNorm * LARGEST_ADAPTED, next)));
  }

  /**
   * A fresh accountant of the plan's kind.
   *
   * @return an accountant that has composed nothing
   */
  public PrivacyAccountant newAccountant() {
    return accountant.get();
  }

  private static double expectedBatchSize(Builder builder, long datasetSize) {
    if ((builder.batchSize == null) == (builder.sampleRate == null)) {
      throw new IllegalStateException("exactly one of batchSize and sampleRate must be set");
    }
    double size =
        builder.batchSize != null
            ? builder.batchSize
            : datasetSize * Builder.requireSet(builder.sampleRate, "sampleRate");
    if (size > datasetSize) {
      throw new IllegalArgumentException(
          "batchSize must be <= datasetSize (" + datasetSize + "), got " + size);
    }
    return size;
  }

  private static long stepCount(Builder builder, long datasetSize, double batchSize) {
    if ((builder.steps == null) == (builder.epochs == null)) {
      throw new IllegalStateException("exactly one of steps and epochs must be set");
    }
    if (builder.steps != null) {
      return builder.steps;
    }
    double exact = Builder.requireSet(builder.epochs, "epochs") * datasetSize / batchSize;
    if (exact > 1e15) {
      throw new IllegalArgumentException(
          "epochs must give at most 1e15 steps, got " + exact + " steps");
    }
    return (long) Math.ceil(exact);
  }

  /** Collects the declared numbers; each is set at most once and checked when it is set. */
  public static final class Builder {
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

    private Builder() {}

    /**
     * Sets the declared number of samples, a public number.
     *
     * @param value N, at least 1
     * @return this builder
     */
    public Builder setDatasetSize(long value) {
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
     * @param value the target epsilon, at most 100 but for {@link #optLargeEpsilon}, and delta,
     *     below 1 / N but for {@link #optLargeDelta}
     * @return this builder
     */
    public Builder setBudget(PrivacyBudget value) {
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
    public Builder setNoiseMultiplier(double value) {
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
    public Builder setDelta(double value) {
      requireUnset(delta, "delta");
      if (!(value > 0 && value < 1)) {
        throw new IllegalArgumentException("delta must be in (0, 1), got " + value);
      }
      delta = value;
      return this;
    }

    /**
     * Sets the clip norm; not beside a style that gives the groups' clip norms.
     *
     * <p>With automatic clipping, the default, every contribution has about this norm, so that R
     * only scales the gradient, noise included. SGD's steps follow it like a factor of the learning
     * rate; Adam, AdamW and LAMB divide by the gradient's size and hardly see it. Tune the learning
     * rate then, and leave R alone.
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
     * Permits a delta of 1/N or more, N being the dataset size; refused otherwise. Such a delta
     * allows a run that publishes one sample picked at random. A test of the machinery may want it,
     * or data that is repeated so often that N does not count persons.
     *
     * @return this builder
     */
    public Builder optLargeDelta() {
      largeDelta = true;
      return this;
    }

    /**
     * Permits an epsilon above 100, declared or following from the noise multiplier; refused
     * otherwise. Such a run promises next to nothing. A baseline with clipping and hardly any noise
     * may want it, or a test.
     *
     * @return this builder
     */
    public Builder optLargeEpsilon() {
      largeEpsilon = true;
      return this;
    }

    /**
     * Multiplies the clip norm by a factor for each step: clipping and noise follow it together,
     * and the privacy cost does not change.
     *
     * @param value the factors; asked for once for each step, at most 1,000,000 of them
     * @return this builder
     */
    public Builder optClipNormSchedule(StepSchedule value) {
      requireUnset(clipNormSchedule, "clipNormSchedule");
      clipNormSchedule = value;
      return this;
    }

    /**
     * Multiplies the noise multiplier by a factor for each step: noise and event follow it
     * together. With a budget, the noise multiplier is calibrated for the run with these factors.
     * Factors are rounded up to powers of \(2^{1/64}\), so that there are few different events.
     *
     * @param value the factors; asked for once for each step, at most 1,000,000 of them
     * @return this builder
     */
    public Builder optNoiseSchedule(StepSchedule value) {
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
     * Chooses what the noise is drawn from; {@link NoiseDistribution#GAUSSIAN} by default.
     *
     * @param value the distribution
     * @return this builder
     */
    public Builder optNoise(NoiseDistribution value) {
      noise = value;
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
     * @throws IllegalArgumentException if the budget is out of reach, or if delta or epsilon is too
     *     large to promise anything
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
