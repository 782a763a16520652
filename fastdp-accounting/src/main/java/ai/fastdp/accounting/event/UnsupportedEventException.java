/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.event;

/** An event has no normal form, or an accountant has no rule for it. */
public final class UnsupportedEventException extends IllegalArgumentException {

  private static final long serialVersionUID = 1L;

  /**
   * Refuses an event.
   *
   * @param message the condition, the value that violates it, and a remedy
   */
  public UnsupportedEventException(String message) {
    super(message);
  }
}
