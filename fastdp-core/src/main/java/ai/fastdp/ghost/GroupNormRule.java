/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.fastdp.hook.LayerRecord;
import ai.fastdp.nn.GroupNorm;
import java.util.Arrays;

/** {@link GroupNorm}: scale from normalised inputs and output gradients, shift from the latter. */
final class GroupNormRule implements GhostRule {
  @Override
  public boolean handles(Block layer) {
    return GhostRules.runsForwardOf(GroupNorm.class, layer);
  }

  @Override
  public boolean needsInput(Block layer) {
    return GhostRules.trainable(layer, "gamma").isPresent();
  }

  @Override
  public void contribute(LayerRecord use, NDArray outputGradient, PerSampleGradients gradients) {
    GroupNorm layer = (GroupNorm) use.block();
    GhostRules.trainable(layer, "gamma")
        .ifPresent(
            gamma ->
                gradients.addGroupScale(
                    gamma, use.requireInput(), outputGradient, layer.groups(), layer.epsilon()));
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
