/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

import java.util.function.Supplier;

/**
 * The longest run, or the largest sample rate, that stays within a budget.
 *
 * <p>Results never overshoot: the accountant's upper bound at the result is at most the budget's
 * epsilon.
 */
public final class RunCalibration {

  private static final double TOLERANCE = 1e-9;

  private RunCalibration() {}

  /**
   * The largest number of times an event can happen.
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
    CalibrationTarget target =
        new CalibrationTarget(accountant, budget, NoiseCalibration.Basis.UPPER_BOUND);
    if (!target.isMet(event, 1)) {
      throw new IllegalArgumentException(
          "epsilon must allow at least one step, got "
              + budget.epsilon()
              + "; one step costs "
              + target.epsilon(event, 1)
              + ", so raise epsilon or the noise");
    }
    long low = 1;
    long high = 2;
    while (target.quickExcess(event, high) <= 0) {
      if (high > Long.MAX_VALUE / 4) {
        return Long.MAX_VALUE;
      }
      low = high;
      high *= 2;
    }
    while (high - low > 1) {
      long middle = low + (high - low) / 2;
      if (target.quickExcess(event, middle) <= 0) {
        low = middle;
      } else {
        high = middle;
      }
    }
    // The quick number may be a little above the accountant's own.
    while (low > 1 && !target.isMet(event, low)) {
      low--;
    }
    while (target.isMet(event, low + 1)) {
      low++;
    }
    return low;
  }

  /**
   * The largest Poisson sample rate, to 1e-9 relative and rounded down.
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
    Require.nonNegative("steps", steps);
    CalibrationTarget target =
        new CalibrationTarget(accountant, budget, NoiseCalibration.Basis.UPPER_BOUND);
    DpEvent release = new GaussianEvent(noiseMultiplier);
    if (target.isMet(release, steps)) {
      return 1;
    }
    double low = 1;
    double high = 1;
    do {
      high = low;
      low /= 4;
      if (low < 1e-12) {
        throw new IllegalArgumentException(
            "epsilon must be reachable with a sample rate of 1e-12, got "
                + budget.epsilon()
                + "; raise epsilon or the noise, or take fewer steps");
      }
    } while (target.quickExcess(new PoissonSampledEvent(low, release), steps) > 0);
    while (high / low - 1 > TOLERANCE) {
      double middle = Math.sqrt(low * high);
      if (target.quickExcess(new PoissonSampledEvent(middle, release), steps) <= 0) {
        low = middle;
      } else {
        high = middle;
      }
    }
    for (double margin = TOLERANCE;
        !target.isMet(new PoissonSampledEvent(low, release), steps);
        margin *= 4) {
      low *= 1 - margin;
    }
    return low;
  }
}
