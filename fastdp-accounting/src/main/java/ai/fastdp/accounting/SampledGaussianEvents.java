/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

/** Which events consist of Gaussian releases that the accountants can handle under a relation. */
final class SampledGaussianEvents {

  private SampledGaussianEvents() {}

  static boolean supports(DpEvent event, NeighboringRelation relation) {
    try {
      normalForm(event, 1, relation);
      return true;
    } catch (UnsupportedEventException e) {
      return false;
    }
  }

  /**
   * The normal form of an event.
   *
   * @throws UnsupportedEventException if there is a mechanism without a rule under the relation
   */
  static MechanismCounts normalForm(DpEvent event, long count, NeighboringRelation relation) {
    MechanismCounts added = MechanismCounts.of(event, count);
    for (Mechanism mechanism : added.asMap().keySet()) {
      if (relation == NeighboringRelation.REPLACE_ONE
          && ((SampledGaussian) mechanism).sampleRate() < 1) {
        throw new UnsupportedEventException(
            "event must not be Poisson-sampled under REPLACE_ONE, got "
                + event
                + "; use ADD_OR_REMOVE_ONE");
      }
    }
    return added;
  }
}
