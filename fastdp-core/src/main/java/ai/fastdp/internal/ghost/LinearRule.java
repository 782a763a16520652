/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.djl.nn.core.Linear;
import ai.fastdp.rule.Contributions;
import ai.fastdp.rule.LayerUse;
import java.util.List;

/** {@link Linear}: weight (p, d) from inputs and output gradients, bias (p) from the latter. */
final class LinearRule implements LayerRule {
  @Override
  public List<Class<? extends Block>> forwards() {
    return List.of(Linear.class);
  }

  @Override
  public boolean needsInput(Block layer) {
    return GhostRules.trainable(layer, "weight").isPresent();
  }

  @Override
  public void contribute(LayerUse use, NDArray outputGradient, Contributions gradients) {
    GhostRules.trainable(use.block(), "weight")
        .ifPresent(weight -> gradients.addLinear(weight, use.requireInput(), outputGradient));
    GhostRules.trainable(use.block(), "bias")
        .ifPresent(bias -> gradients.addPositionSum(bias, outputGradient));
  }
}
