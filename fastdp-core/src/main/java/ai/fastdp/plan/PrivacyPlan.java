/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.plan;

import ai.fastdp.accounting.accountant.PrivacyAccountant;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.clipping.ClippingStyle;
import ai.fastdp.clipping.QuantileQuery;
import java.util.function.Supplier;

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
 * the clip norm may follow the data privately (adaptive clipping). A step's clip factors, its noise
 * and its event are all made of the same clip norm and noise multiplier.
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
  private final long datasetSize;
  private final double batchSize;
  private final StepClipping clipping;
  private final RunEvents events;
  private final Supplier<? extends PrivacyAccountant> accountant;
  private final double noiseMultiplier;
  private final PrivacyBudget budget;

  /**
   * Made by {@link PrivacyPlanBuilder#build}, which has checked that the parts fit together.
   *
   * @param datasetSize N
   * @param batchSize B, in expectation
   * @param clipping how the steps clip
   * @param events what the steps release at a noise multiplier
   * @param accountant makes accountants that have composed nothing
   * @param calibrated the noise multiplier and the budget
   */
  PrivacyPlan(
      long datasetSize,
      double batchSize,
      StepClipping clipping,
      RunEvents events,
      Supplier<? extends PrivacyAccountant> accountant,
      PlanCalibration.Result calibrated) {
    this.datasetSize = datasetSize;
    this.batchSize = batchSize;
    this.clipping = clipping;
    this.events = events;
    this.accountant = accountant;
    noiseMultiplier = calibrated.noiseMultiplier();
    budget = calibrated.budget();
  }

  /** {@return an empty builder} */
  public static PrivacyPlanBuilder builder() {
    return new PrivacyPlanBuilder();
  }

  /** {@return the declared, public number of samples N} */
  public long datasetSize() {
    return datasetSize;
  }

  /**
   * {@return the expected size of a logical batch, \(B = q N\), by which the noisy sum is divided}
   */
  public double expectedBatchSize() {
    return batchSize;
  }

  /** {@return the probability q in (0, 1] with which every sample enters a logical batch} */
  public double sampleRate() {
    return events.sampleRate();
  }

  /** {@return the number of logical steps T} */
  public long steps() {
    return events.steps();
  }

  /**
   * {@return the noise multiplier \(\sigma\): the standard deviation of the gradients' noise
   * divided by the sensitivity, before the factor of a noise schedule}
   */
  public double noiseMultiplier() {
    return noiseMultiplier;
  }

  /**
   * {@return the noise multiplier of a step: \(\sigma\) times the schedule's factor, rounded up to
   * a power of \(2^{1/64}\)}
   *
   * @param step the number of logical steps before it
   */
  public double noiseMultiplier(long step) {
    return events.noiseMultiplier(noiseMultiplier, step);
  }

  /** {@return the privacy that the run may spend; a step beyond it is refused} */
  public PrivacyBudget budget() {
    return budget;
  }

  /**
   * {@return the declared clip norm R: the largest norm of one sample's contribution before noise}
   *
   * <p>A schedule multiplies it by a factor for each step. Where clipping is adaptive it is the
   * first step's clip norm.
   */
  public double clipNorm() {
    return clipping.clipNorm();
  }

  /**
   * {@return the clip norm of a step: R times the schedule's factor; R where clipping is adaptive,
   * which is the clip norm of the first step alone}
   *
   * @param step the number of logical steps before it
   */
  public double clipNorm(long step) {
    return clipping.scheduled(step).clipNorm();
  }

  /** {@return the clipping function} */
  public ClippingFunction clipping() {
    return clipping.function();
  }

  /** {@return the grouping of parameters for clipping} */
  public ClippingStyle style() {
    return clipping.style();
  }

  /** {@return the distribution of the noise} */
  public NoiseDistribution noise() {
    return events.noise();
  }

  /**
   * {@return the sensitivity: how far adding or removing one sample can move the clipped sum, in
   * norm, at the clip norm {@link #clipNorm()}}
   */
  public double sensitivity() {
    return clipping().sensitivity(clipNorm());
  }

  /**
   * {@return what a logical step releases: a Poisson-sampled Gaussian, and with adaptive clipping
   * the quantile query of the same sample}
   *
   * @param step the number of logical steps before it
   */
  public DpEvent stepEvent(long step) {
    return events.step(noiseMultiplier(step));
  }

  /** {@return the events of all steps of the run} */
  public DpEvent runEvent() {
    return events.run(noiseMultiplier);
  }

  /** {@return a fresh accountant of the plan's kind, which has composed nothing} */
  public PrivacyAccountant newAccountant() {
    return accountant.get();
  }

  /**
   * Returns what a step uses, all of it from this plan and the state of clipping.
   *
   * @param step the number of logical steps before it
   * @param state the state of clipping before it
   * @return the step's clip norm, sensitivity, noise and event
   */
  public StepPlan step(long step, ClippingState state) {
    double bound = noise().clipShare() * state.clipNorm();
    return new StepPlan(
        bound,
        clipping().sensitivity(bound) / noise().clipShare(),
        noiseMultiplier(step),
        stepEvent(step));
  }

  /**
   * Returns the state of clipping before a step, as far as it is known before the run.
   *
   * @param step the number of logical steps before it
   * @return the state, with the scheduled clip norm
   */
  public ClippingState scheduledClipping(long step) {
    return clipping.scheduled(step);
  }

  /**
   * Returns the state of clipping after a step whose quantile query was answered.
   *
   * @param before the state before the step
   * @param query the query of the plan's clipping function
   * @param noisyFraction its answer, with the noise that it was charged for
   * @return the state for the next step
   */
  public ClippingState adaptedClipping(
      ClippingState before, QuantileQuery query, double noisyFraction) {
    return clipping.adapted(before, query, noisyFraction);
  }

  /** Returns how the steps clip. */
  StepClipping stepClipping() {
    return clipping;
  }

  /** Returns whether all steps have the same noise multiplier, and the same scheduled clip norm. */
  boolean isConstant() {
    return clipping.factors().isConstant() && events.noiseFactors().isConstant();
  }
}
