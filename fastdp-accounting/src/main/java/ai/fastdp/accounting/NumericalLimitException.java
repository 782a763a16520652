/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

/** A computation would need more resources than allowed; another method has to answer. */
final class NumericalLimitException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  NumericalLimitException(String message) {
    super(message);
  }
}
