/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.mechanism;

import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.internal.loss.DominatingPair;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.DoubleUnaryOperator;

/**
 * An event in the normal form that the accountants compute with.
 *
 * <p>Every accountant asks one question; an empty answer means that it has to refuse the event.
 */
public sealed interface Mechanism
    permits SampledGaussian, FixedSizeGaussian, LaplaceRelease, DiscreteGaussianRelease {

  /**
   * Returns the pair of distributions that is proven to dominate one step, if one is known; in the
   * direction in which a record is removed, if that matters. {@link DominatingPair#reversed()} is
   * the other direction.
   */
  Optional<DominatingPair> pair(NeighboringRelation relation);

  /**
   * Returns an upper bound of the cumulant \((a-1) D_a\) of one step as a function of the Renyi
   * order a &gt; 1, if one is known. It is convex, and infinite at orders without a bound.
   */
  default Optional<DoubleUnaryOperator> renyi(NeighboringRelation relation) {
    return pair(relation).map(DominatingPair::renyi);
  }

  /**
   * Returns the parameter mu that one step contributes by the central limit theorem, if a formula
   * is published; exact for an unsampled Gaussian step.
   */
  default OptionalDouble cltMu(NeighboringRelation relation) {
    return OptionalDouble.empty();
  }

  /** {@return what to do where an accountant has no rule} */
  default String remedy() {
    return "use another relation or accountant";
  }

  /**
   * Returns the sensitivity relative to the largest contribution of a record: two contributions of
   * norm 1 differ by at most 2.
   */
  static double sensitivity(NeighboringRelation relation) {
    return relation == NeighboringRelation.REPLACE_ONE ? 2 : 1;
  }
}
