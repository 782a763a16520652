/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.mechanism;

import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.internal.loss.LossPair;

/** An event in the normal form that the accountants compute with. */
public sealed interface Mechanism
    permits SampledGaussian, FixedBatchGaussian, LaplaceRelease, DiscreteGaussianRelease {

  /** Whether there is a pair of distributions that is proven to dominate under the relation. */
  boolean hasPair(NeighboringRelation relation);

  /**
   * The dominating pair of one step, in the direction in which a record is removed if it matters;
   * {@link LossPair#reversed()} is the other.
   */
  LossPair pair(NeighboringRelation relation);

  /** What to do where an accountant has no rule. */
  default String remedy() {
    return "use another relation or accountant";
  }

  /**
   * What the largest contribution of a record has to be multiplied with to get the sensitivity: two
   * contributions of norm 1 differ by at most 2.
   */
  static double sensitivity(NeighboringRelation relation) {
    return relation == NeighboringRelation.REPLACE_ONE ? 2 : 1;
  }
}
