/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.calibration;

import ai.fastdp.accounting.accountant.EpsilonBound;
import ai.fastdp.accounting.accountant.PrivacyAccountant;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.event.DpEvent;
import java.util.Objects;
import java.util.OptionalDouble;
import java.util.function.Supplier;

/**
 * The target of a calibration, and how far runs are from it: by a quick bound while searching, and
 * by the accountant's bound in the end.
 */
record CalibrationTarget(
    Supplier<? extends PrivacyAccountant> accountant,
    PrivacyBudget budget,
    NoiseCalibration.Basis basis) {

  /** Below this epsilon, distances count as differences, above as ratios. */
  private static final double SMALL = 1e-3;

  CalibrationTarget {
    Objects.requireNonNull(accountant, "accountant");
    Objects.requireNonNull(budget, "budget");
    Objects.requireNonNull(basis, "basis");
  }

  /** Returns a positive value if the quick bound of a run is above the target. */
  double quickExcess(DpEvent event, long count) {
    PrivacyAccountant after = after(event, count);
    return excess(
        basis == NoiseCalibration.Basis.UPPER_BOUND
            ? required(after.quickUpper(budget.delta()), after)
            : number(after));
  }

  /** Returns whether the accountant's bound is within the target. */
  boolean isMet(DpEvent event, long count) {
    return epsilon(event, count) <= budget.epsilon();
  }

  /** {@return the accountant's bound} */
  double epsilon(DpEvent event, long count) {
    return number(after(event, count));
  }

  String accountantName() {
    return accountant.get().name();
  }

  private double excess(double epsilon) {
    double excess = Math.log((epsilon + SMALL) / (budget.epsilon() + SMALL));
    return epsilon > budget.epsilon() ? Math.max(excess, Double.MIN_NORMAL) : Math.min(excess, 0);
  }

  private PrivacyAccountant after(DpEvent event, long count) {
    PrivacyAccountant empty = accountant.get();
    empty.compose(event, count);
    return empty;
  }

  private double number(PrivacyAccountant after) {
    EpsilonBound bound = after.epsilon(budget.delta());
    boolean isUpper = basis == NoiseCalibration.Basis.UPPER_BOUND;
    return required(isUpper ? bound.upper() : bound.estimate(), after);
  }

  private double required(OptionalDouble number, PrivacyAccountant after) {
    return number.orElseThrow(
        () ->
            new IllegalArgumentException(
                "accountant must give an "
                    + (basis == NoiseCalibration.Basis.UPPER_BOUND ? "upper bound" : "estimate")
                    + ", got "
                    + after.name()
                    + "; only an upper bound can enforce a budget"));
  }
}
