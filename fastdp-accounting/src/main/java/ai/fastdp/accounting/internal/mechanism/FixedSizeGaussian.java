/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.mechanism;

import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.internal.loss.DominatingPair;
import ai.fastdp.accounting.internal.loss.FixedSizeGaussianPair;
import ai.fastdp.accounting.internal.loss.GaussianPair;
import ai.fastdp.accounting.internal.numeric.NormalTail;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * The Gaussian mechanism on a uniformly random subset of fixed size.
 *
 * @param sampleRate q in (0, 1], the size of the subset over that of the data set
 * @param noiseMultiplier sigma, relative to the clip norm
 */
public record FixedSizeGaussian(double sampleRate, double noiseMultiplier) implements Mechanism {

  @Override
  public Optional<DominatingPair> pair(NeighboringRelation relation) {
    if (relation != NeighboringRelation.REPLACE_ONE) {
      return Optional.empty();
    }
    double sigma = noiseMultiplier / Mechanism.sensitivity(relation);
    return Optional.of(
        sampleRate == 1
            ? new GaussianPair(1 / sigma)
            : new FixedSizeGaussianPair(sampleRate, sigma));
  }

  /**
   * {@inheritDoc}
   *
   * <p>\(\mu^2 = 2 q^2 (e^{x^2} \Phi(1.5 x) + 3 \Phi(-0.5 x) - 2)\) with x the sensitivity over the
   * noise (Bu, Dong, Long, Su 2019, arXiv 1911.11607, theorem 5).
   */
  @Override
  public OptionalDouble cltMu(NeighboringRelation relation) {
    if (relation != NeighboringRelation.REPLACE_ONE) {
      return OptionalDouble.empty();
    }
    double inverse = Mechanism.sensitivity(relation) / noiseMultiplier;
    if (sampleRate == 1) {
      return OptionalDouble.of(inverse);
    }
    // Written so that the constants do not cancel.
    double growth = Math.expm1(inverse * inverse) * NormalTail.above(-1.5 * inverse);
    double bend = NormalTail.between(0, 1.5 * inverse) - 3 * NormalTail.between(0, 0.5 * inverse);
    return OptionalDouble.of(sampleRate * Math.sqrt(2 * (growth + bend)));
  }
}
