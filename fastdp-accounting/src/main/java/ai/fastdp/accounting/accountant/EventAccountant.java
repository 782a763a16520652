/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.accountant;

import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.event.UnsupportedEventException;
import ai.fastdp.accounting.internal.mechanism.Mechanism;
import ai.fastdp.accounting.internal.mechanism.MechanismCounts;
import java.util.Objects;

/** Brings events to their normal form and counts the mechanisms, or refuses them. */
abstract sealed class EventAccountant implements PrivacyAccountant
    permits RdpAccountant, GdpAccountant, FdpAccountant {

  private final NeighboringRelation relation;
  private final MechanismCounts counts;

  EventAccountant(NeighboringRelation relation, MechanismCounts counts) {
    this.relation = Objects.requireNonNull(relation, "relation");
    this.counts = counts;
  }

  /**
   * {@return whether this accountant has a sound rule (or, if it only estimates, a published one)}
   */
  abstract boolean hasRule(Mechanism mechanism);

  @Override
  public final NeighboringRelation relation() {
    return relation;
  }

  final MechanismCounts counts() {
    return counts;
  }

  @Override
  public final boolean supports(DpEvent event) {
    try {
      normalForm(event, 1);
      return true;
    } catch (UnsupportedEventException e) {
      return false;
    }
  }

  @Override
  public final void compose(DpEvent event, long count) {
    counts.addAll(normalForm(event, count));
  }

  private MechanismCounts normalForm(DpEvent event, long count) {
    MechanismCounts added = MechanismCounts.of(event, count);
    for (Mechanism mechanism : added.asMap().keySet()) {
      if (!hasRule(mechanism)) {
        throw new UnsupportedEventException(
            "event must have a rule under "
                + relation
                + " in the "
                + name()
                + " accountant, got "
                + event
                + "; "
                + mechanism.remedy());
      }
    }
    return added;
  }
}
