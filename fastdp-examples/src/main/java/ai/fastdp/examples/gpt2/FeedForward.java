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

/** Two linear layers with a GELU between them. (B, T, width) to (B, T, width). */
final class FeedForward extends AbstractBlock {

  final Block expand;
  final Block contract;

  FeedForward(Gpt2Config config) {
    expand = addChildBlock("expand", Linear.builder().setUnits(config.innerWidth()).build());
    contract = addChildBlock("contract", Linear.builder().setUnits(config.width()).build());
  }

  /** {@inheritDoc} */
  @Override
  protected NDList forwardInternal(
      ParameterStore parameterStore,
      NDList inputs,
      boolean training,
      PairList<String, Object> params) {
    NDArray inner = expand.forward(parameterStore, inputs, training).singletonOrThrow();
    NDArray active = FusedOps.get().gelu(inner);
    return contract.forward(parameterStore, new NDList(active), training);
  }

  /** {@inheritDoc} */
  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    return new Shape[] {inputShapes[0]};
  }

  /** {@inheritDoc} */
  @Override
  protected void initializeChildBlocks(NDManager manager, DataType dataType, Shape... inputShapes) {
    expand.initialize(manager, dataType, inputShapes);
    contract.initialize(manager, dataType, expand.getOutputShapes(inputShapes));
  }
}
