/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.numeric;

import java.util.Optional;
import java.util.function.Supplier;

/**
 * Thrown if a computation needs more resources than allowed, so that another method has to answer.
 */
public final class NumericalLimitException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  public NumericalLimitException(String message) {
    super(message);
  }

  /** Returns the answer, or none if computing it throws this exception. */
  public static <T> Optional<T> emptyIfThrown(Supplier<Optional<T>> answer) {
    try {
      return answer.get();
    } catch (NumericalLimitException e) {
      return Optional.empty();
    }
  }
}
