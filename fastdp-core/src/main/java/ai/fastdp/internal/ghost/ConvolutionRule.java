/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.djl.nn.convolutional.Conv1d;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.convolutional.Conv3d;
import ai.djl.nn.convolutional.Convolution;
import ai.fastdp.rule.Contributions;
import ai.fastdp.rule.ConvolutionGeometry;
import ai.fastdp.rule.LayerUse;
import java.util.List;

/**
 * {@link Conv1d}, {@link Conv2d} and {@link Conv3d}, which share one forward function: weight (p, c
 * / groups, kernel) from inputs and output gradients, bias (p) from the latter.
 */
final class ConvolutionRule implements LayerRule {
  @Override
  public List<Class<? extends Block>> forwards() {
    return List.of(Convolution.class);
  }

  @Override
  public boolean needsInput(Block layer) {
    return GhostRules.trainable(layer, "weight").isPresent();
  }

  @Override
  public boolean shrinks(Block layer) {
    return needsInput(layer);
  }

  @Override
  public void contribute(LayerUse use, NDArray outputGradient, Contributions gradients) {
    Convolution layer = (Convolution) use.block();
    GhostRules.trainable(layer, "weight")
        .ifPresent(
            weight ->
                gradients.addConvolution(
                    weight, use.requireInput(), outputGradient, ConvolutionGeometry.of(layer)));
    GhostRules.trainable(layer, "bias")
        .ifPresent(
            bias ->
                gradients.addBroadcast(
                    bias, ChannelNormRule.channels(outputGradient), outputGradient));
  }
}
