/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Block;
import ai.djl.nn.core.Multiplication;
import ai.fastdp.rule.Contributions;
import ai.fastdp.rule.LayerUse;
import java.util.List;

/**
 * {@link Multiplication}: weight (units, 1, s) from inputs (B, s) and output gradients, which are
 * recorded as (B, units, s): their product, for each unit.
 */
final class MultiplicationRule implements LayerRule {
  @Override
  public List<Class<? extends Block>> forwards() {
    return List.of(Multiplication.class);
  }

  @Override
  public void contribute(LayerUse use, NDArray outputGradient, Contributions gradients) {
    GhostRules.trainable(use.block(), "weight")
        .ifPresent(
            weight ->
                gradients.addDense(
                    weight,
                    outputGradient
                        .toType(DataType.FLOAT32, false)
                        .mul(use.requireInput().toType(DataType.FLOAT32, false).expandDims(1))));
  }
}
