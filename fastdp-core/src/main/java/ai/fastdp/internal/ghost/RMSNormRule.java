/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.fastdp.nn.RMSNorm;
import ai.fastdp.rule.Contributions;
import ai.fastdp.rule.LayerUse;
import java.util.List;

/** {@link RMSNorm}: scale from normalised inputs and output gradients. */
final class RMSNormRule implements LayerRule {
  @Override
  public List<Class<? extends Block>> forwards() {
    return List.of(RMSNorm.class);
  }

  @Override
  public void contribute(LayerUse use, NDArray outputGradient, Contributions gradients) {
    RMSNorm layer = (RMSNorm) use.block();
    GhostRules.trainable(layer, "gamma")
        .ifPresent(
            gamma ->
                gradients.addDense(
                    gamma, scale(layer, use.requireInput(), outputGradient, gradients)));
  }

  /**
   * Per-sample gradients (B, d) of the scale after a division of (B, ..., d) by the root mean
   * square.
   */
  private static NDArray scale(
      RMSNorm layer, NDArray input, NDArray outputGradient, Contributions gradients) {
    Workspace workspace = Workspace.of(gradients);
    return workspace
        .normalisations()
        .rootMeanSquareScale(
            workspace.manager(),
            gradients.inFloat32(input),
            gradients.inFloat32(outputGradient),
            layer.epsilon(),
            workspace.maxElements());
  }
}
