/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.fastdp.hook.LayerRecord;
import ai.fastdp.nn.RMSNorm;
import java.util.List;

/** {@link RMSNorm}: scale from normalised inputs and output gradients. */
final class RMSNormRule implements LayerRule {
  @Override
  public List<Class<? extends Block>> forwards() {
    return List.of(RMSNorm.class);
  }

  @Override
  public void contribute(LayerRecord use, NDArray outputGradient, PerSampleGradients gradients) {
    RMSNorm layer = (RMSNorm) use.block();
    GhostRules.trainable(layer, "gamma")
        .ifPresent(
            gamma ->
                gradients.addRootMeanSquareScale(
                    gamma, use.requireInput(), outputGradient, layer.epsilon()));
  }
}
