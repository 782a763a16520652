/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.numeric;

/** A computation would need more resources than allowed; another method has to answer. */
public final class NumericalLimitException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  public NumericalLimitException(String message) {
    super(message);
  }
}
