/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.solve;

import ai.fastdp.accounting.internal.loss.DeltaBracket;
import ai.fastdp.accounting.internal.loss.EpsilonInterval;
import java.util.Optional;

/**
 * The highest loss H that all steps together can have, where that says nearly everything: delta is
 * 0 from H on, and epsilon is next to H if its probability is well above delta.
 */
final class HighestLoss implements CompositionMethod {

  @Override
  public String name() {
    return ClosedForm.NAME;
  }

  @Override
  public Optional<EpsilonInterval> epsilon(
      LossComposition losses, double logDelta, Effort effort, double knownWidth) {
    return Optional.of(losses.fromHighestLoss(logDelta)).filter(EpsilonInterval::isNarrow);
  }

  @Override
  public Optional<DeltaBracket> delta(LossComposition losses, double epsilon, Effort effort) {
    return losses.isAtMost(epsilon) ? Optional.of(DeltaBracket.ZERO) : Optional.empty();
  }
}
