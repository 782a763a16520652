/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.ledger;

/** Thrown before an event that would spend more than the budget; nothing has been recorded. */
public final class PrivacyBudgetExceededException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  /**
   * Creates the exception.
   *
   * @param message which budget would be exceeded by what
   */
  public PrivacyBudgetExceededException(String message) {
    super(message);
  }
}
