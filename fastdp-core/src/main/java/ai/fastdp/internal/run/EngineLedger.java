/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.run;

import ai.fastdp.accounting.accountant.EpsilonBound;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.ledger.InMemoryLedger;
import ai.fastdp.accounting.ledger.PrivacyLedger;
import ai.fastdp.plan.PrivacyPlan;
import java.util.Map;

/**
 * The ledger of an engine that keeps it in memory. All runs of the engine charge it: closing a
 * trainer does not give back what the run has spent.
 */
public final class EngineLedger implements PrivacyLedger {
  private final InMemoryLedger ledger;

  public EngineLedger(PrivacyPlan plan) {
    ledger = new InMemoryLedger(plan.newAccountant(), plan.budget());
  }

  @Override
  public PrivacyBudget budget() {
    return ledger.budget();
  }

  @Override
  public void charge(DpEvent event) {
    ledger.charge(event);
  }

  @Override
  public EpsilonBound spent() {
    return ledger.spent();
  }

  @Override
  public Map<DpEvent, Long> charged() {
    return ledger.charged();
  }

  @Override
  public long charges() {
    return ledger.charges();
  }

  /** Does nothing: the engine's later runs go on with it. */
  @Override
  public void close() {}
}
