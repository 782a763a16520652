/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

import java.util.Objects;
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
    Objects.requireNonNull(budget, "budget");
    if (!fits(accountant, budget, event, 1)) {
      throw new IllegalArgumentException(
          "epsilon must allow at least one step, got "
              + budget.epsilon()
              + "; one step costs "
              + after(accountant, event, 1).epsilon(budget.delta()).upper()
              + ", so raise epsilon or the noise");
    }
    long low = 1;
    long high = 2;
    while (fits(accountant, budget, event, high)) {
      if (high > Long.MAX_VALUE / 4) {
        return Long.MAX_VALUE;
      }
      low = high;
      high *= 2;
    }
    while (high - low > 1) {
      long middle = low + (high - low) / 2;
      if (fits(accountant, budget, event, middle)) {
        low = middle;
      } else {
        high = middle;
      }
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
    Objects.requireNonNull(budget, "budget");
    Require.nonNegative("steps", steps);
    DpEvent release = new GaussianEvent(noiseMultiplier);
    if (fits(accountant, budget, release, steps)) {
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
    } while (!fits(accountant, budget, new PoissonSampledEvent(low, release), steps));
    while (high / low - 1 > TOLERANCE) {
      double middle = Math.sqrt(low * high);
      if (fits(accountant, budget, new PoissonSampledEvent(middle, release), steps)) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return low;
  }

  private static boolean fits(
      Supplier<? extends PrivacyAccountant> accountant,
      PrivacyBudget budget,
      DpEvent event,
      long count) {
    return after(accountant, event, count).epsilon(budget.delta()).isProvenWithin(budget.epsilon());
  }

  private static PrivacyAccountant after(
      Supplier<? extends PrivacyAccountant> accountant, DpEvent event, long count) {
    PrivacyAccountant empty = accountant.get();
    empty.compose(event, count);
    return empty;
  }
}
