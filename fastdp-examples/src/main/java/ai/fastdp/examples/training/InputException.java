/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.training;

/**
 * Something the user handed in cannot be used: a file, a row, an option. Its message is one line
 * that says what and where, fit to be shown as it is, and never quotes a training sample.
 */
public final class InputException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  /**
   * Reports bad input.
   *
   * @param message one line
   */
  public InputException(String message) {
    super(message);
  }

  /**
   * Reports bad input that surfaced as another exception.
   *
   * @param message one line
   * @param cause what was thrown
   */
  public InputException(String message, Throwable cause) {
    super(message, cause);
  }
}
