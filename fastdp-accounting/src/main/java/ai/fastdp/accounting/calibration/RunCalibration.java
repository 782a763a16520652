/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.calibration;

import ai.fastdp.accounting.accountant.PrivacyAccountant;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.PoissonSampledEvent;
import ai.fastdp.accounting.internal.numeric.MonotoneSearch;
import ai.fastdp.accounting.internal.numeric.Require;
import java.util.function.Supplier;

/**
 * The longest run, the largest sample rate, or the smallest delta for a target.
 *
 * <p>Results never overshoot: at the result the accountant's number is at most the target epsilon.
 * That number is its upper bound, unless {@link NoiseCalibration.Basis#ESTIMATE} is asked for.
 */
public final class RunCalibration {

  private static final double TOLERANCE = 1e-9;

  private static final long MAX_STEPS = 1L << 61;

  private static final double MIN_RATE = 1e-12;
  private static final double START_DELTA = 1e-6;
  private static final double MIN_DELTA = 1e-300;
  private static final double MAX_DELTA = 1 - 1e-9;

  private RunCalibration() {}

  /**
   * Returns the largest number of times an event can happen.
   *
   * @param accountant makes an empty accountant; it must give upper bounds
   * @param budget target epsilon and its delta
   * @param event one step
   * @return the count; {@code Long.MAX_VALUE} if the event costs nothing
   * @throws IllegalArgumentException if the accountant does not support the event, or not even one
   *     event fits; the message says what one event costs
   */
  public static long steps(
      Supplier<? extends PrivacyAccountant> accountant, PrivacyBudget budget, DpEvent event) {
    return steps(accountant, budget, event, NoiseCalibration.Basis.UPPER_BOUND);
  }

  /**
   * Returns the largest number of times an event can happen, by the upper bound or by the estimate.
   *
   * @param accountant makes an empty accountant; it must give the number that {@code basis} names
   * @param budget target epsilon and its delta
   * @param event one step
   * @param basis what has to meet the target
   * @return as {@link #steps(Supplier, PrivacyBudget, DpEvent)}
   * @throws IllegalArgumentException as there
   */
  public static long steps(
      Supplier<? extends PrivacyAccountant> accountant,
      PrivacyBudget budget,
      DpEvent event,
      NoiseCalibration.Basis basis) {
    CalibrationTarget target = new CalibrationTarget(accountant, budget, basis);
    if (!target.isMet(event, 1)) {
      throw new IllegalArgumentException(
          "epsilon must allow at least one step, got "
              + budget.epsilon()
              + "; one step costs "
              + target.epsilon(event, 1)
              + " at delta "
              + budget.delta()
              + ", so raise epsilon or the noise");
    }
    // The search is over 1/steps, with which the excess falls.
    MonotoneSearch excess =
        new MonotoneSearch(x -> target.quickExcess(event, Math.max(1, Math.round(1 / x))));
    MonotoneSearch.Bracket around = excess.downwards(1, 1.0 / MAX_STEPS);
    if (around.isEmpty()) {
      return Long.MAX_VALUE;
    }
    double found = excess.smallest(around, Math.max(TOLERANCE, 0.4 * around.tooLow()));
    return adjusted(target, event, Math.max(1, Math.round(1 / found)));
  }

  /** The quick bound may be a little above or below the accountant's, which decides. */
  private static long adjusted(CalibrationTarget target, DpEvent event, long found) {
    long low = found;
    long stride = 1;
    while (!target.isMet(event, low)) {
      low = Math.max(1, low - stride);
      stride *= 2;
    }
    stride = 1;
    while (target.isMet(event, low + stride)) {
      low += stride;
      stride *= 2;
    }
    for (stride /= 2; stride > 0; stride /= 2) {
      if (target.isMet(event, low + stride)) {
        low += stride;
      }
    }
    return low;
  }

  /**
   * Returns the largest Poisson sample rate, to 1e-9 relative and rounded down.
   *
   * @param accountant makes an empty accountant; it must give upper bounds
   * @param budget target epsilon and its delta
   * @param noiseMultiplier sigma, finite and positive
   * @param steps number of steps; at least 0
   * @return q in (0, 1]
   * @throws IllegalArgumentException if an argument is out of range or not even q = 1e-12 fits
   */
  public static double sampleRate(
      Supplier<? extends PrivacyAccountant> accountant,
      PrivacyBudget budget,
      double noiseMultiplier,
      long steps) {
    return sampleRate(
        accountant, budget, noiseMultiplier, steps, NoiseCalibration.Basis.UPPER_BOUND);
  }

  /**
   * Returns the largest Poisson sample rate by the upper bound or by the estimate.
   *
   * @param accountant makes an empty accountant; it must give the number that {@code basis} names
   * @param budget target epsilon and its delta
   * @param noiseMultiplier sigma, finite and positive
   * @param steps number of steps; at least 0
   * @param basis what has to meet the target
   * @return as {@link #sampleRate(Supplier, PrivacyBudget, double, long)}
   * @throws IllegalArgumentException as there
   */
  public static double sampleRate(
      Supplier<? extends PrivacyAccountant> accountant,
      PrivacyBudget budget,
      double noiseMultiplier,
      long steps,
      NoiseCalibration.Basis basis) {
    Require.nonNegative("steps", steps);
    CalibrationTarget target = new CalibrationTarget(accountant, budget, basis);
    DpEvent release = new GaussianEvent(noiseMultiplier);
    if (target.isMet(release, steps)) {
      return 1;
    }
    // The search is over 1/q, with which the excess falls.
    MonotoneSearch excess =
        new MonotoneSearch(x -> target.quickExcess(new PoissonSampledEvent(1 / x, release), steps));
    if (excess.at(1 / MIN_RATE) > 0) {
      throw new IllegalArgumentException(
          "epsilon must be reachable, got "
              + budget.epsilon()
              + "; with sample rate "
              + MIN_RATE
              + " the "
              + target.accountantName()
              + " accountant reaches "
              + target.epsilon(new PoissonSampledEvent(MIN_RATE, release), steps)
              + " at delta "
              + budget.delta()
              + ", so raise epsilon or the noise, or take fewer steps");
    }
    double rate = 1 / excess.smallest(excess.upwards(1, 1 / MIN_RATE), TOLERANCE);
    for (double margin = TOLERANCE;
        !target.isMet(new PoissonSampledEvent(rate, release), steps);
        margin *= 4) {
      rate *= 1 - margin;
    }
    return rate;
  }

  /**
   * Returns the smallest delta at which a run stays within epsilon, to 1e-9 relative and rounded
   * up.
   *
   * @param accountant makes an empty accountant; it must give upper bounds
   * @param epsilon the target, finite and positive
   * @param run the whole run
   * @return delta; the smallest number tried, 1e-300, if any will do
   * @throws IllegalArgumentException if {@code epsilon} is out of range, the accountant does not
   *     support the run, or no delta below 1 will do; the message says what epsilon can be reached
   */
  public static double delta(
      Supplier<? extends PrivacyAccountant> accountant, double epsilon, DpEvent run) {
    return delta(accountant, epsilon, run, NoiseCalibration.Basis.UPPER_BOUND);
  }

  /**
   * Returns the smallest delta by the upper bound or by the estimate.
   *
   * @param accountant makes an empty accountant; it must give the number that {@code basis} names
   * @param epsilon the target, finite and positive
   * @param run the whole run
   * @param basis what has to meet the target
   * @return as {@link #delta(Supplier, double, DpEvent)}
   * @throws IllegalArgumentException as there
   */
  public static double delta(
      Supplier<? extends PrivacyAccountant> accountant,
      double epsilon,
      DpEvent run,
      NoiseCalibration.Basis basis) {
    MonotoneSearch excess =
        new MonotoneSearch(x -> targetAt(accountant, epsilon, x, basis).quickExcess(run, 1));
    MonotoneSearch.Bracket around =
        excess.at(START_DELTA) > 0
            ? excess.upwards(START_DELTA, MAX_DELTA)
            : excess.downwards(START_DELTA, MIN_DELTA);
    if (around.enough() == MAX_DELTA && around.isEmpty()) {
      throw unreachable(targetAt(accountant, epsilon, MAX_DELTA, basis), run);
    }
    double delta = around.isEmpty() ? MIN_DELTA : excess.smallest(around, TOLERANCE);
    for (double margin = TOLERANCE;
        !targetAt(accountant, epsilon, delta, basis).isMet(run, 1);
        margin *= 4) {
      delta *= 1 + margin;
      if (!(delta < MAX_DELTA)) {
        throw unreachable(targetAt(accountant, epsilon, MAX_DELTA, basis), run);
      }
    }
    return delta;
  }

  private static CalibrationTarget targetAt(
      Supplier<? extends PrivacyAccountant> accountant,
      double epsilon,
      double delta,
      NoiseCalibration.Basis basis) {
    return new CalibrationTarget(accountant, new PrivacyBudget(epsilon, delta), basis);
  }

  private static IllegalArgumentException unreachable(CalibrationTarget target, DpEvent run) {
    return new IllegalArgumentException(
        "epsilon must be reachable, got "
            + target.budget().epsilon()
            + "; with delta "
            + target.budget().delta()
            + " the "
            + target.accountantName()
            + " accountant reaches "
            + target.epsilon(run, 1)
            + ", so raise epsilon or the noise, or take fewer steps");
  }
}
