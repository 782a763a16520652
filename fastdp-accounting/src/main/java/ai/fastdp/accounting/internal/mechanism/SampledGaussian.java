/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.mechanism;

import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.internal.loss.GaussianLoss;
import ai.fastdp.accounting.internal.loss.LossPair;
import ai.fastdp.accounting.internal.loss.MixtureLoss;
import ai.fastdp.accounting.internal.loss.SubstitutionLoss;

/**
 * The Gaussian mechanism on a Poisson sample.
 *
 * @param sampleRate q in (0, 1]
 * @param noiseMultiplier sigma, relative to the clip norm
 */
public record SampledGaussian(double sampleRate, double noiseMultiplier) implements Mechanism {

  public boolean isSampled() {
    return sampleRate < 1;
  }

  @Override
  public boolean hasPair(NeighboringRelation relation) {
    return true;
  }

  @Override
  public LossPair pair(NeighboringRelation relation) {
    if (!isSampled()) {
      return new GaussianLoss(Mechanism.sensitivity(relation) / noiseMultiplier);
    }
    return relation == NeighboringRelation.REPLACE_ONE
        ? new SubstitutionLoss(sampleRate, noiseMultiplier)
        : new MixtureLoss(sampleRate, noiseMultiplier, MixtureLoss.Direction.REMOVE);
  }
}
