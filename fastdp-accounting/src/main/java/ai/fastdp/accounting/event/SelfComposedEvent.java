/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.event;

import ai.fastdp.accounting.internal.numeric.Require;
import java.util.Objects;

/**
 * An event that is repeated independently.
 *
 * @param event the event
 * @param count how often it happens; at least 0
 */
public record SelfComposedEvent(DpEvent event, long count) implements DpEvent {

  /**
   * Checks the count.
   *
   * @param event as described above
   * @param count as described above
   * @throws IllegalArgumentException if {@code count} is negative
   */
  public SelfComposedEvent {
    Objects.requireNonNull(event, "event");
    Require.nonNegative("count", count);
  }

  @Override
  public <R> R accept(Visitor<R> visitor) {
    return visitor.visit(this);
  }
}
