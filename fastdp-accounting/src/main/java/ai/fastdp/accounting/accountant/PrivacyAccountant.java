/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.accountant;

import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.NeighboringRelation;
import java.util.OptionalDouble;

/**
 * Adds up the privacy loss of events and converts it to epsilon.
 *
 * <p>Accountants are mutable and not thread-safe. Composition is independent of order.
 */
public interface PrivacyAccountant {

  /** {@return the relation that the results refer to} */
  NeighboringRelation relation();

  /**
   * Returns whether {@link #compose(DpEvent)} accepts an event.
   *
   * @param event the event
   * @return true if it does
   */
  boolean supports(DpEvent event);

  /**
   * Adds one event.
   *
   * @param event what happened
   * @throws IllegalArgumentException if the event is not supported; the state is then unchanged
   */
  default void compose(DpEvent event) {
    compose(event, 1);
  }

  /**
   * Adds the same event several times. The cost does not depend on {@code count}.
   *
   * @param event what happened
   * @param count how often; at least 0
   * @throws IllegalArgumentException if the event is not supported or {@code count} is negative;
   *     the state is then unchanged
   */
  void compose(DpEvent event, long count);

  /**
   * Returns the epsilon of all compositions at a given delta (natural logarithm).
   *
   * @param delta in (0, 1)
   * @return the bounds that this kind of accountant can vouch for
   * @throws IllegalArgumentException if {@code delta} is not in (0, 1)
   */
  EpsilonBound epsilon(double delta);

  /**
   * Bounds epsilon from above at little cost, for searches that ask often. The bound is sound, but
   * may be wider than that of {@link #epsilon}.
   *
   * @param delta in (0, 1)
   * @return the upper bound, if this kind of accountant can vouch for one
   * @throws IllegalArgumentException if {@code delta} is not in (0, 1)
   */
  default OptionalDouble quickUpper(double delta) {
    return epsilon(delta).upper();
  }

  /**
   * Returns the delta of all compositions at a given epsilon.
   *
   * @param epsilon finite and at least 0
   * @return the bounds that this kind of accountant can vouch for
   * @throws IllegalArgumentException if {@code epsilon} is out of range
   */
  DeltaBound delta(double epsilon);

  /** {@return an independent accountant with the same state} */
  PrivacyAccountant copy();

  /** {@return a short name for reports, such as {@code rdp}} */
  String name();
}
