/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.ledger;

import ai.fastdp.accounting.accountant.EpsilonBound;
import ai.fastdp.accounting.accountant.PrivacyAccountant;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.event.DpEvent;
import java.util.Map;

/**
 * A ledger for one process; it forgets everything when the process ends.
 *
 * <p>Charging equal events again and again costs far less than one query of the accountant on
 * average. Methods may be called from several threads.
 */
public final class InMemoryLedger implements PrivacyLedger {

  private final SpendingGuard guard;
  private boolean closed;

  /**
   * Starts a ledger.
   *
   * @param accountant decides; it is copied, and events that it has already seen count as spent
   * @param budget the most that may be spent
   * @throws PrivacyBudgetExceededException if the accountant has already seen more than the budget,
   *     or gives no upper bound for it
   */
  public InMemoryLedger(PrivacyAccountant accountant, PrivacyBudget budget) {
    guard = new SpendingGuard(accountant, budget);
  }

  @Override
  public PrivacyBudget budget() {
    return guard.budget();
  }

  @Override
  public synchronized void charge(DpEvent event) {
    if (closed) {
      throw new IllegalStateException(
          "ledger must be open, got a closed one; charge before it is closed");
    }
    guard.requireFits(event);
    guard.record(event);
  }

  @Override
  public synchronized EpsilonBound spent() {
    return guard.spent();
  }

  @Override
  public synchronized Map<DpEvent, Long> charged() {
    return guard.charged();
  }

  @Override
  public synchronized void close() {
    closed = true;
  }
}
