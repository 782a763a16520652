/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.recurrent.GRU;
import ai.djl.nn.recurrent.LSTM;
import ai.djl.nn.recurrent.RNN;
import ai.fastdp.rule.Contributions;
import ai.fastdp.rule.LayerUse;
import java.util.List;

/**
 * {@link RNN}, {@link LSTM} and {@link GRU}: each direction of each layer is two linear layers over
 * time, from inputs and from previous states to pre-activations.
 */
final class RecurrentRule implements LayerRule {
  private static final String WEIGHT = "_WEIGHT";

  @Override
  public List<Class<? extends Block>> forwards() {
    return List.of(RNN.class, LSTM.class, GRU.class);
  }

  @Override
  public boolean needsInput(Block layer) {
    return layer.getDirectParameters().stream()
        .anyMatch(pair -> pair.getKey().endsWith(WEIGHT) && pair.getValue().requiresGradient());
  }

  @Override
  public void contribute(LayerUse use, NDArray outputGradient, Contributions gradients) {
    GhostRules.trainable(use.block(), use.part() + WEIGHT)
        .ifPresent(weight -> gradients.addLinear(weight, use.requireInput(), outputGradient));
    GhostRules.trainable(use.block(), use.part() + "_" + Parameter.Type.BIAS)
        .ifPresent(bias -> gradients.addPositionSum(bias, outputGradient));
  }
}
