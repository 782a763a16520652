/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.mechanism;

import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.internal.loss.DominatingPair;
import ai.fastdp.accounting.internal.loss.GaussianPair;
import ai.fastdp.accounting.internal.loss.PoissonGaussianPair;
import ai.fastdp.accounting.internal.loss.ReplaceOnePoissonPair;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * The Gaussian mechanism on a Poisson sample.
 *
 * @param sampleRate q in (0, 1]
 * @param noiseMultiplier sigma, relative to the clip norm
 */
public record SampledGaussian(double sampleRate, double noiseMultiplier) implements Mechanism {

  @Override
  public Optional<DominatingPair> pair(NeighboringRelation relation) {
    if (sampleRate == 1) {
      return Optional.of(new GaussianPair(Mechanism.sensitivity(relation) / noiseMultiplier));
    }
    return Optional.of(
        relation == NeighboringRelation.REPLACE_ONE
            ? new ReplaceOnePoissonPair(sampleRate, noiseMultiplier)
            : new PoissonGaussianPair(
                sampleRate, noiseMultiplier, PoissonGaussianPair.Direction.REMOVE));
  }

  /**
   * {@inheritDoc}
   *
   * <p>\(\mu^2 = q^2 (e^{1/\sigma^2} - 1)\) for a sample (Bu, Dong, Long, Su 2019, arXiv
   * 1911.11607, corollary 4), which does not cover the replacement of a record.
   */
  @Override
  public OptionalDouble cltMu(NeighboringRelation relation) {
    double inverse = Mechanism.sensitivity(relation) / noiseMultiplier;
    if (sampleRate == 1) {
      return OptionalDouble.of(inverse);
    }
    return relation == NeighboringRelation.REPLACE_ONE
        ? OptionalDouble.empty()
        : OptionalDouble.of(sampleRate * Math.sqrt(Math.expm1(inverse * inverse)));
  }
}
