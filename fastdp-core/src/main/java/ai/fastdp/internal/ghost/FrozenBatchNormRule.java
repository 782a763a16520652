/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.fastdp.nn.FrozenBatchNorm;
import ai.fastdp.rule.Contributions;
import ai.fastdp.rule.LayerUse;
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
  public void contribute(LayerUse use, NDArray outputGradient, Contributions gradients) {
    FrozenBatchNorm layer = (FrozenBatchNorm) use.block();
    GhostRules.trainable(layer, "gamma")
        .ifPresent(
            gamma ->
                gradients.addDense(
                    gamma, scale(layer, use.requireInput(), outputGradient, gradients)));
    GhostRules.trainable(layer, "beta")
        .ifPresent(
            beta ->
                gradients.addBroadcast(
                    beta, ChannelNormRule.channels(outputGradient), outputGradient));
  }

  /**
   * Per-sample gradients (B, C) of the scale after a normalisation of (B, C, ...) by statistics.
   */
  private static NDArray scale(
      FrozenBatchNorm layer, NDArray input, NDArray outputGradient, Contributions gradients) {
    Workspace workspace = Workspace.of(gradients);
    return workspace
        .normalisations()
        .fixedScale(
            workspace.manager(),
            gradients.inFloat32(input),
            gradients.inFloat32(outputGradient),
            statistic(layer, "runningMean", outputGradient, gradients),
            statistic(layer, "runningVar", outputGradient, gradients),
            layer.epsilon(),
            workspace.maxElements());
  }

  private static NDArray statistic(
      FrozenBatchNorm layer, String name, NDArray beside, Contributions gradients) {
    NDArray array = layer.getDirectParameters().get(name).getArray();
    return gradients.inFloat32(array.toDevice(beside.getDevice(), false));
  }
}
