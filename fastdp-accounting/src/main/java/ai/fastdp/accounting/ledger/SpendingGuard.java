/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.ledger;

import ai.fastdp.accounting.accountant.EpsilonBound;
import ai.fastdp.accounting.accountant.PrivacyAccountant;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.event.DpEvent;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/**
 * Decides whether one more event fits a budget, at an amortised cost of far less than one query of
 * the accountant.
 *
 * <p>Privacy loss is monotone in the multiset of events. So once the upper bound of some multiset
 * was found within the budget, every sub-multiset is within it too, and is admitted without a
 * query. When an event leaves the proven multiset, a larger one is tried: what was spent, grown in
 * proportion, first by as much as last time, then by half of that and so on, down to this one
 * event. Only if that fails, the event is refused.
 */
final class SpendingGuard {

  private final PrivacyAccountant base;
  private final PrivacyBudget budget;
  private final Map<DpEvent, Long> spent = new LinkedHashMap<>();
  private Map<DpEvent, Long> proven = Map.of();
  private double growth = 1;

  /**
   * Starts with the events that the accountant has already seen.
   *
   * @throws PrivacyBudgetExceededException if that is already beyond the budget
   */
  SpendingGuard(PrivacyAccountant accountant, PrivacyBudget budget) {
    this.base = accountant.copy();
    this.budget = Objects.requireNonNull(budget, "budget");
    EpsilonBound initial = spent();
    if (!initial.isProvenWithin(budget.epsilon())) {
      throw refusal(initial, "before any event");
    }
  }

  PrivacyBudget budget() {
    return budget;
  }

  Map<DpEvent, Long> charged() {
    return Collections.unmodifiableMap(new LinkedHashMap<>(spent));
  }

  EpsilonBound spent() {
    return bound(spent);
  }

  /**
   * Checks without recording.
   *
   * @throws PrivacyBudgetExceededException if the event does not fit
   */
  void requireFits(DpEvent event) {
    Objects.requireNonNull(event, "event");
    long after = Math.addExact(spent.getOrDefault(event, 0L), 1);
    if (after <= proven.getOrDefault(event, 0L)) {
      return;
    }
    Map<DpEvent, Long> wanted = new LinkedHashMap<>(spent);
    wanted.put(event, after);
    EpsilonBound bound = bound(wanted);
    if (!bound.isProvenWithin(budget.epsilon())) {
      throw refusal(bound, "after " + event);
    }
    proven = wanted;
    for (double g = Math.min(1, 2 * growth); ; g /= 2) {
      Map<DpEvent, Long> grown = grown(wanted, g);
      if (grown.equals(wanted)) {
        return;
      }
      if (bound(grown).isProvenWithin(budget.epsilon())) {
        proven = grown;
        growth = g;
        return;
      }
    }
  }

  /** Records an event that fits. */
  void record(DpEvent event) {
    spent.merge(event, 1L, Math::addExact);
  }

  private static Map<DpEvent, Long> grown(Map<DpEvent, Long> counts, double growth) {
    Map<DpEvent, Long> grown = new LinkedHashMap<>(counts);
    grown.replaceAll((event, count) -> count + (long) Math.floor(count * growth));
    return grown;
  }

  private EpsilonBound bound(Map<DpEvent, Long> counts) {
    PrivacyAccountant accountant = base.copy();
    counts.forEach(accountant::compose);
    return accountant.epsilon(budget.delta());
  }

  private PrivacyBudgetExceededException refusal(EpsilonBound bound, String when) {
    return new PrivacyBudgetExceededException(
        "epsilon must stay <= "
            + budget.epsilon()
            + " at delta "
            + budget.delta()
            + ", got "
            + (bound.upper().isPresent()
                ? String.valueOf(bound.upper().getAsDouble())
                : "no upper bound from the " + base.name() + " accountant")
            + " "
            + when
            + "; stop here or plan with a larger budget");
  }
}
