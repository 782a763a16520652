/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.mechanism;

import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.internal.loss.LaplaceLoss;
import ai.fastdp.accounting.internal.loss.LossPair;

/**
 * The Laplace mechanism on one number.
 *
 * @param noiseMultiplier scale of the noise over the largest contribution of one record
 */
public record LaplaceRelease(double noiseMultiplier) implements Mechanism {

  @Override
  public boolean hasPair(NeighboringRelation relation) {
    return true;
  }

  @Override
  public LossPair pair(NeighboringRelation relation) {
    return new LaplaceLoss(Mechanism.sensitivity(relation) / noiseMultiplier);
  }
}
