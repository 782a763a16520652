/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.mechanism;

import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.internal.loss.DominatingPair;
import ai.fastdp.accounting.internal.loss.LaplacePair;
import java.util.Optional;

/**
 * The Laplace mechanism on one value.
 *
 * @param noiseMultiplier scale of the noise over the largest contribution of one record
 */
public record LaplaceRelease(double noiseMultiplier) implements Mechanism {

  @Override
  public Optional<DominatingPair> pair(NeighboringRelation relation) {
    return Optional.of(new LaplacePair(Mechanism.sensitivity(relation) / noiseMultiplier));
  }
}
