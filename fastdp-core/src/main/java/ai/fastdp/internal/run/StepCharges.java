/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.run;

import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.ledger.PrivacyBudgetExceededException;
import ai.fastdp.accounting.ledger.PrivacyLedger;
import ai.fastdp.plan.PrivacyPlan;

/**
 * Charges the steps of all of an engine's runs, which together are never more than the plan's, each
 * before its samples are handed out: or else batches could be drawn by many trainers, or by
 * processes that are killed, and the ones that are trained chosen by what is in them. Safe for use
 * by several threads.
 */
public final class StepCharges {
  /**
   * Charges a step whose samples are about to be handed out.
   *
   * @throws PrivacyBudgetExceededException if the plan or the budget has no step left
   */
  synchronized void charge(PrivacyPlan plan, PrivacyLedger ledger, DpEvent event) {
    if (ledger.charges() >= plan.steps()) {
      throw new PrivacyBudgetExceededException(
          "steps must be <= "
              + plan.steps()
              + " for all trainers of an engine together, got a batch for another one; plan a"
              + " longer run with its own budget");
    }
    ledger.charge(event);
  }
}
