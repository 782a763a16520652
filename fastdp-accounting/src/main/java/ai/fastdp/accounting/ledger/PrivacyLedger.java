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

  /**
   * The most that may be spent.
   *
   * @return the budget
   */
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

  /**
   * What was spent so far.
   *
   * @return epsilon at the budget's delta
   */
  EpsilonBound spent();

  /**
   * What was charged, by this and all earlier runs of the ledger.
   *
   * @return every event and how often it was charged, in the order of first charges; a copy
   */
  Map<DpEvent, Long> charged();

  /**
   * How many events were charged, by this and all earlier runs of the ledger.
   *
   * @return the number of charges
   */
  default long charges() {
    return charged().values().stream().mapToLong(Long::longValue).sum();
  }

  /** Releases the resources of the ledger; further charges are refused. */
  @Override
  void close();
}
