/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.event;

import java.util.List;

/**
 * Several events on the same data, one after the other.
 *
 * @param events the events; their order does not change the privacy loss
 */
public record ComposedEvent(List<DpEvent> events) implements DpEvent {

  /**
   * Copies the list.
   *
   * @param events as described above
   */
  public ComposedEvent {
    events = List.copyOf(events);
  }

  @Override
  public <R> R accept(Visitor<R> visitor) {
    return visitor.visit(this);
  }
}
