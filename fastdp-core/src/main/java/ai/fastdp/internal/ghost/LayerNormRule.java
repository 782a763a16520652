/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.djl.nn.norm.LayerNorm;
import ai.fastdp.internal.djl.HiddenField;
import ai.fastdp.rule.Contributions;
import ai.fastdp.rule.LayerUse;
import java.util.List;

/** {@link LayerNorm}: scale from normalised inputs and output gradients, shift from the latter. */
final class LayerNormRule implements LayerRule {
  private static final HiddenField EPSILON = HiddenField.of(LayerNorm.class, "epsilon");

  @Override
  public List<Class<? extends Block>> forwards() {
    return List.of(LayerNorm.class);
  }

  @Override
  public boolean needsInput(Block layer) {
    return GhostRules.trainable(layer, "gamma").isPresent();
  }

  @Override
  public void contribute(LayerUse use, NDArray outputGradient, Contributions gradients) {
    GhostRules.trainable(use.block(), "gamma")
        .ifPresent(
            gamma ->
                gradients.addScale(
                    gamma, use.requireInput(), outputGradient, epsilon(use.block())));
    GhostRules.trainable(use.block(), "beta")
        .ifPresent(beta -> gradients.addPositionSum(beta, outputGradient));
  }

  private static double epsilon(Block layer) {
    return (float) EPSILON.require(layer);
  }
}
