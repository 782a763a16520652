/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.fastdp.hook.LayerRecord;
import ai.fastdp.nn.ChannelNorm;
import ai.fastdp.nn.GroupNorm;
import ai.fastdp.nn.InstanceNorm;
import java.util.Arrays;
import java.util.List;

/**
 * {@link GroupNorm} and {@link InstanceNorm}: scale from normalised inputs and output gradients,
 * shift from the latter.
 */
final class ChannelNormRule implements LayerRule {
  @Override
  public List<Class<? extends Block>> forwards() {
    return List.of(ChannelNorm.class);
  }

  @Override
  public boolean needsInput(Block layer) {
    return GhostRules.trainable(layer, "gamma").isPresent();
  }

  @Override
  public void contribute(LayerRecord use, NDArray outputGradient, PerSampleGradients gradients) {
    ChannelNorm layer = (ChannelNorm) use.block();
    long groups = layer.groups(outputGradient.getShape().get(1));
    GhostRules.trainable(layer, "gamma")
        .ifPresent(
            gamma ->
                gradients.addGroupScale(
                    gamma, use.requireInput(), outputGradient, groups, layer.epsilon()));
    GhostRules.trainable(layer, "beta")
        .ifPresent(beta -> gradients.addBroadcast(beta, channels(outputGradient), outputGradient));
  }

  /** The shape (C, 1, ..., 1) of a vector beside an array (B, C, ...). */
  static Shape channels(NDArray array) {
    long[] aligned = new long[array.getShape().dimension() - 1];
    Arrays.fill(aligned, 1);
    aligned[0] = array.getShape().get(1);
    return new Shape(aligned);
  }
}
