/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.calibration;

import ai.fastdp.accounting.accountant.PrivacyAccountant;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.PoissonSampledEvent;
import ai.fastdp.accounting.event.SelfComposedEvent;
import ai.fastdp.accounting.internal.numeric.MonotoneSearch;
import ai.fastdp.accounting.internal.numeric.Require;
import java.util.Objects;
import java.util.function.DoubleFunction;
import java.util.function.Supplier;

/**
 * Finds the smallest noise that keeps a run of DP-SGD within its budget.
 *
 * <p>The result never overshoots: the accountant's upper bound at the returned noise multiplier is
 * at most the budget's epsilon. The returned noise multiplier exceeds the smallest such number by
 * less than 1e-9 relative.
 */
public final class NoiseCalibration {

  /** Relative width of the final bracket of sigma. */
  private static final double TOLERANCE = 1e-9;

  private static final double LARGEST = 0x1p40;
  private static final double SMALLEST = 0x1p-9;

  private NoiseCalibration() {}

  /** The bound of the accountant that has to meet the target. */
  public enum Basis {
    /** The upper bound: the result is a guarantee. */
    UPPER_BOUND,
    /** The estimate: the result is for comparison only and must not be relied on. */
    ESTIMATE
  }

  /**
   * Calibrates the noise of {@code steps} Gaussian releases, each on a Poisson sample.
   *
   * @param accountant makes an empty accountant; it must give upper bounds
   * @param budget target epsilon and its delta
   * @param sampleRate q in [0, 1]; 1 means the whole data set
   * @param steps number of releases; at least 0
   * @return the noise multiplier, rounded up; the smallest number tried, 2^-9, if any noise will do
   * @throws IllegalArgumentException if an argument is out of range, the accountant does not
   *     support the event or gives no upper bound, or no noise reaches the target; the message says
   *     what can be reached
   */
  public static double noiseMultiplier(
      Supplier<? extends PrivacyAccountant> accountant,
      PrivacyBudget budget,
      double sampleRate,
      long steps) {
    return noiseMultiplier(accountant, budget, sampleRate, steps, Basis.UPPER_BOUND);
  }

  /**
   * Calibrates the noise by the upper bound or by the estimate.
   *
   * @param accountant makes an empty accountant; it must give the number that {@code basis} names
   * @param budget target epsilon and its delta
   * @param sampleRate q in [0, 1]; 1 means the whole data set
   * @param steps number of releases; at least 0
   * @param basis what has to meet the target
   * @return as {@link #noiseMultiplier(Supplier, PrivacyBudget, double, long)}
   * @throws IllegalArgumentException as there
   */
  public static double noiseMultiplier(
      Supplier<? extends PrivacyAccountant> accountant,
      PrivacyBudget budget,
      double sampleRate,
      long steps,
      Basis basis) {
    Require.probability("sampleRate", sampleRate);
    Require.nonNegative("steps", steps);
    return noiseMultiplier(
        accountant,
        budget,
        sigma ->
            new SelfComposedEvent(
                new PoissonSampledEvent(sampleRate, new GaussianEvent(sigma)), steps),
        basis);
  }

  /**
   * Calibrates the noise of a run of any events: steps that differ, or that release more than a
   * gradient.
   *
   * @param accountant makes an empty accountant; it must give upper bounds
   * @param budget target epsilon and its delta
   * @param run the whole run as a function of the noise multiplier; its epsilon must not grow with
   *     the noise multiplier
   * @return the noise multiplier, rounded up; the smallest number tried, 2^-9, if any noise will do
   * @throws IllegalArgumentException if the accountant does not support the run or gives no upper
   *     bound, or no noise reaches the target; the message says what can be reached
   */
  public static double noiseMultiplier(
      Supplier<? extends PrivacyAccountant> accountant,
      PrivacyBudget budget,
      DoubleFunction<? extends DpEvent> run) {
    return noiseMultiplier(accountant, budget, run, Basis.UPPER_BOUND);
  }

  /**
   * Calibrates the noise of a run of any events by the upper bound or by the estimate.
   *
   * @param accountant makes an empty accountant; it must give the number that {@code basis} names
   * @param budget target epsilon and its delta
   * @param run the whole run as a function of the noise multiplier; its epsilon must not grow with
   *     the noise multiplier
   * @param basis what has to meet the target
   * @return as {@link #noiseMultiplier(Supplier, PrivacyBudget, DoubleFunction)}
   * @throws IllegalArgumentException as there
   */
  public static double noiseMultiplier(
      Supplier<? extends PrivacyAccountant> accountant,
      PrivacyBudget budget,
      DoubleFunction<? extends DpEvent> run,
      Basis basis) {
    return new Search(
            new CalibrationTarget(accountant, budget, basis), Objects.requireNonNull(run, "run"))
        .run();
  }

  /** The search over sigma. */
  private record Search(CalibrationTarget target, DoubleFunction<? extends DpEvent> events) {

    double run() {
      double sigma = search(new MonotoneSearch(x -> target.quickExcess(events.apply(x), 1)));
      // What was searched by may be a little above the accountant's own number, or, where that
      // jumps between methods, a little below.
      for (double margin = TOLERANCE; !target.isMet(events.apply(sigma), 1); margin *= 4) {
        sigma *= 1 + margin;
        if (!(sigma < LARGEST)) {
          throw unreachable();
        }
      }
      return sigma;
    }

    private double search(MonotoneSearch excess) {
      if (excess.at(1) > 0) {
        MonotoneSearch.Bracket above = excess.upwards(1, LARGEST);
        if (above.isEmpty()) {
          throw unreachable();
        }
        return excess.smallest(above, TOLERANCE);
      }
      MonotoneSearch.Bracket below = excess.downwards(1, SMALLEST);
      return below.isEmpty() ? SMALLEST : excess.smallest(below, TOLERANCE);
    }

    private IllegalArgumentException unreachable() {
      return new IllegalArgumentException(
          "epsilon must be reachable, got "
              + target.budget().epsilon()
              + "; with noise multiplier "
              + LARGEST
              + " the "
              + target.accountantName()
              + " accountant reaches "
              + target.epsilon(events.apply(LARGEST), 1)
              + " at delta "
              + target.budget().delta()
              + ", so raise epsilon or delta, or take fewer steps");
    }
  }
}
