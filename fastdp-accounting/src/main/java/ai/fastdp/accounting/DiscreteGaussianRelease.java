/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

import java.util.function.DoubleUnaryOperator;

/**
 * The discrete Gaussian mechanism on a Poisson sample.
 *
 * <p>No pair of distributions is known to dominate it; its Renyi divergences are bounded by those
 * of the Gaussian mechanism, at integer orders where it is sampled (docs/accounting.md).
 *
 * @param sampleRate q in (0, 1]
 * @param noiseMultiplier sigma, relative to the largest contribution of one record
 */
record DiscreteGaussianRelease(double sampleRate, double noiseMultiplier) implements Mechanism {

  @Override
  public boolean hasPair(NeighboringRelation relation) {
    return false;
  }

  @Override
  public LossPair pair(NeighboringRelation relation) {
    throw new UnsupportedEventException(
        "event must have a dominating pair, got a discrete Gaussian; " + remedy());
  }

  @Override
  public String remedy() {
    return "account for discrete Gaussian noise with RdpAccountant, Poisson samples of it under"
        + " ADD_OR_REMOVE_ONE or REPLACE_SPECIAL";
  }

  /** Whether its Renyi divergence has a bound under the relation. */
  boolean hasRenyiBound(NeighboringRelation relation) {
    return sampleRate == 1 || relation != NeighboringRelation.REPLACE_ONE;
  }

  /** An upper bound of the cumulant \((a-1) D_a\) as a function of the order a &gt; 1, convex. */
  DoubleUnaryOperator renyiBound(NeighboringRelation relation) {
    if (sampleRate == 1) {
      double inverse = Mechanism.sensitivity(relation) / noiseMultiplier;
      return order -> (order - 1) * order * inverse * inverse / 2;
    }
    SampledGaussianRenyi gaussian =
        new SampledGaussianRenyi(new MixtureRatio(sampleRate, noiseMultiplier));
    return order -> {
      double below = Math.floor(order);
      if (below == order) {
        return gaussian.cumulant(order);
      }
      // The cumulant is convex and 0 at order 1: below the chord from integer to integer.
      double share = order - below;
      double low = below == 1 ? 0 : (1 - share) * gaussian.cumulant(below);
      return low + share * gaussian.cumulant(below + 1);
    };
  }
}
