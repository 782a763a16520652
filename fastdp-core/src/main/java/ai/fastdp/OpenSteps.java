/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.fastdp.accounting.ledger.PrivacyBudgetExceededException;
import ai.fastdp.accounting.ledger.PrivacyLedger;

/**
 * Counts the steps of an engine's open runs whose samples are drawn and not charged yet. Together
 * with those charged they are never more than the plan's: or else batches could be drawn by many
 * trainers, and the ones that are trained chosen by what is in them. Safe for use by several
 * threads.
 */
final class OpenSteps {
  private long drawn;

  /**
   * Counts a step whose sample is about to be drawn.
   *
   * @throws PrivacyBudgetExceededException if the plan has no step left that is not drawn already
   */
  synchronized void draw(PrivacyPlan plan, PrivacyLedger ledger) {
    if (ledger.charges() + drawn >= plan.steps()) {
      throw new PrivacyBudgetExceededException(
          "steps must be <= "
              + plan.steps()
              + " for all trainers of an engine together, got a batch for another one; finish or"
              + " close the trainers that have one, or plan a longer run with its own budget");
    }
    drawn++;
  }

  /** Ends a drawn step: it is charged, or its trainer is closed. */
  synchronized void end() {
    drawn--;
  }

  synchronized long count() {
    return drawn;
  }
}
