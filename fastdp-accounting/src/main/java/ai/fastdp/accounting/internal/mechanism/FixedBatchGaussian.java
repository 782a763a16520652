/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.mechanism;

import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.internal.loss.FixedBatchLoss;
import ai.fastdp.accounting.internal.loss.GaussianLoss;
import ai.fastdp.accounting.internal.loss.LossPair;

/**
 * The Gaussian mechanism on a uniformly random subset of fixed size.
 *
 * @param sampleRate q in (0, 1], the size of the subset over that of the data set
 * @param noiseMultiplier sigma, relative to the clip norm
 */
public record FixedBatchGaussian(double sampleRate, double noiseMultiplier) implements Mechanism {

  @Override
  public boolean hasPair(NeighboringRelation relation) {
    return relation == NeighboringRelation.REPLACE_ONE;
  }

  @Override
  public LossPair pair(NeighboringRelation relation) {
    double sigma = noiseMultiplier / Mechanism.sensitivity(relation);
    return sampleRate == 1 ? new GaussianLoss(1 / sigma) : new FixedBatchLoss(sampleRate, sigma);
  }
}
