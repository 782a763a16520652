/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.fastdp.nn.TiedLinear;
import ai.fastdp.rule.Contributions;
import ai.fastdp.rule.LayerUse;
import java.util.List;

/** {@link TiedLinear}: a linear use of the embedding's table. */
final class TiedLinearRule implements LayerRule {
  @Override
  public List<Class<? extends Block>> forwards() {
    return List.of(TiedLinear.class);
  }

  @Override
  public boolean needsInput(Block layer) {
    return table(layer).requiresGradient();
  }

  @Override
  public void contribute(LayerUse use, NDArray outputGradient, Contributions gradients) {
    gradients.addLinear(table(use.block()), use.requireInput(), outputGradient);
  }

  private static Parameter table(Block layer) {
    return layer.getDirectParameters().valueAt(0);
  }
}
