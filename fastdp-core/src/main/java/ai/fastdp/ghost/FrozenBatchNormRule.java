/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.fastdp.hook.LayerRecord;
import ai.fastdp.nn.FrozenBatchNorm;
import java.util.List;

/** {@link FrozenBatchNorm}: scale from inputs normalised by the fixed statistics, and shift. */
final class FrozenBatchNormRule implements LayerRule {
  @Override
  public List<Class<? extends Block>> forwards() {
    return List.of(FrozenBatchNorm.class);
  }

  @Override
  public boolean needsInput(Block layer) {
    return GhostRules.trainable(layer, "gamma").isPresent();
  }

  @Override
  public void contribute(LayerRecord use, NDArray outputGradient, PerSampleGradients gradients) {
    FrozenBatchNorm layer = (FrozenBatchNorm) use.block();
    GhostRules.trainable(layer, "gamma")
        .ifPresent(
            gamma ->
                gradients.addFixedScale(
                    gamma,
                    use.requireInput(),
                    outputGradient,
                    layer.getDirectParameters().get("runningMean").getArray(),
                    layer.getDirectParameters().get("runningVar").getArray(),
                    layer.epsilon()));
    GhostRules.trainable(layer, "beta")
        .ifPresent(
            beta ->
                gradients.addBroadcast(
                    beta, ChannelNormRule.channels(outputGradient), outputGradient));
  }
}
