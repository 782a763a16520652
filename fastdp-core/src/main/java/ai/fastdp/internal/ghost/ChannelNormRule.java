/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.fastdp.nn.ChannelNorm;
import ai.fastdp.nn.GroupNorm;
import ai.fastdp.nn.InstanceNorm;
import ai.fastdp.rule.Contributions;
import ai.fastdp.rule.LayerUse;
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
  public void contribute(LayerUse use, NDArray outputGradient, Contributions gradients) {
    ChannelNorm layer = (ChannelNorm) use.block();
    GhostRules.trainable(layer, "gamma")
        .ifPresent(
            gamma ->
                gradients.addDense(
                    gamma, scale(layer, use.requireInput(), outputGradient, gradients)));
    GhostRules.trainable(layer, "beta")
        .ifPresent(beta -> gradients.addBroadcast(beta, channels(outputGradient), outputGradient));
  }

  /** Per-sample gradients (B, C) of the scale after a normalisation of (B, C, ...) over groups. */
  private static NDArray scale(
      ChannelNorm layer, NDArray input, NDArray outputGradient, Contributions gradients) {
    Workspace workspace = Workspace.of(gradients);
    return workspace
        .normalisations()
        .groupScale(
            workspace.manager(),
            gradients.inFloat32(input),
            gradients.inFloat32(outputGradient),
            layer.groups(outputGradient.getShape().get(1)),
            layer.epsilon(),
            workspace.maxElements());
  }

  /** The shape (C, 1, ..., 1) of a vector beside an array (B, C, ...). */
  static Shape channels(NDArray array) {
    long[] aligned = new long[array.getShape().dimension() - 1];
    Arrays.fill(aligned, 1);
    aligned[0] = array.getShape().get(1);
    return new Shape(aligned);
  }
}
