/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;

/**
 * Multi-head causal self-attention: one projection to queries, keys and values, PyTorch's fused
 * attention kernel, one projection back. (B, T, width) to (B, T, width).
 */
final class CausalSelfAttention extends AbstractBlock {

  final Block projectionIn;
  final Block projectionOut;

  private final int heads;
  private final int headWidth;

  CausalSelfAttention(Gpt2Config config) {
    heads = config.heads();
    headWidth = config.width() / config.heads();
    projectionIn =
        addChildBlock("projectionIn", Linear.builder().setUnits(3L * config.width()).build());
    projectionOut =
        addChildBlock("projectionOut", Linear.builder().setUnits(config.width()).build());
  }

  /** {@inheritDoc} */
  @Override
  protected NDList forwardInternal(
      ParameterStore parameterStore,
      NDList inputs,
      boolean training,
      PairList<String, Object> params) {
    Shape shape = inputs.head().getShape();
    NDArray qkv = projectionIn.forward(parameterStore, inputs, training).singletonOrThrow();
    qkv = qkv.reshape(shape.get(0), shape.get(1), 3, heads, headWidth);
    NDArray mixed = FusedOps.get().causalAttention(qkv);
    return projectionOut.forward(parameterStore, new NDList(mixed), training);
  }

  /** {@inheritDoc} */
  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    return new Shape[] {inputShapes[0]};
  }

  /** {@inheritDoc} */
  @Override
  protected void initializeChildBlocks(NDManager manager, DataType dataType, Shape... inputShapes) {
    projectionIn.initialize(manager, dataType, inputShapes);
    projectionOut.initialize(manager, dataType, inputShapes);
  }
}
