/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.event;

/** An event that does not touch the data; it costs nothing. */
public record NoOpEvent() implements DpEvent {

  @Override
  public <R> R accept(Visitor<R> visitor) {
    return visitor.visit(this);
  }
}
