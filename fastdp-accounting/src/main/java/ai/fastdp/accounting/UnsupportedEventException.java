/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

/** An event has no normal form, or an accountant has no rule for it. */
final class UnsupportedEventException extends IllegalArgumentException {

  private static final long serialVersionUID = 1L;

  UnsupportedEventException(String message) {
    super(message);
  }
}
