/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.ledger;

import ai.fastdp.accounting.accountant.EpsilonBound;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.event.DpEvent;
import java.util.Map;

/**
 * Keeps the spending of a run within its budget.
 *
 * <p>Charge an event <em>before</em> its result is released.
 */
public interface PrivacyLedger extends AutoCloseable {

  /** {@return the most that may be spent} */
  PrivacyBudget budget();

  /**
   * Records one event, or refuses it.
   *
   * @param event what is about to be released
   * @throws PrivacyBudgetExceededException if the upper bound of epsilon after this event would
   *     exceed the budget, or no upper bound is known; nothing is recorded then
   * @throws IllegalArgumentException if the accountant does not support the event; nothing is
   *     recorded then
   * @throws IllegalStateException if the ledger is closed
   */
  void charge(DpEvent event);

  /** {@return the epsilon of all charges at the budget's delta} */
  EpsilonBound spent();

  /**
   * {@return a copy of all events that this and earlier runs charged, with their counts, in the
   * order of first charges}
   */
  Map<DpEvent, Long> charged();

  /** {@return the number of events that this and earlier runs charged} */
  default long charges() {
    return charged().values().stream().mapToLong(Long::longValue).sum();
  }

  /** Releases the resources of the ledger; further charges are refused. */
  @Override
  void close();
}
