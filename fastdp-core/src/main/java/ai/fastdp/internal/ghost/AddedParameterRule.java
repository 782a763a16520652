/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.fastdp.nn.AddedParameter;
import ai.fastdp.rule.BroadcastRule;
import ai.fastdp.rule.Contributions;
import ai.fastdp.rule.LayerUse;
import java.util.List;

/** {@link AddedParameter}: output gradients, added up over the axes of the broadcast. */
final class AddedParameterRule implements LayerRule {
  private final BroadcastRule rule = new BroadcastRule();

  @Override
  public List<Class<? extends Block>> forwards() {
    return List.of(AddedParameter.class);
  }

  @Override
  public boolean needsInput(Block layer) {
    return rule.needsInput(layer);
  }

  @Override
  public void contribute(LayerUse use, NDArray outputGradient, Contributions gradients) {
    rule.contribute(use, outputGradient, gradients);
  }
}
