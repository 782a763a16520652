/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;

/**
 * One transformer layer with normalisation in front of each part.
 *
 * <p>\(h = x + \mathrm{attention}(\mathrm{norm}_1(x)),\; y = h +
 * \mathrm{feedForward}(\mathrm{norm}_2(h))\)
 *
 * <p>Not final, so that memory can be released behind it where groups of layers are clipped apart.
 */
class Gpt2Layer extends AbstractBlock {

  final Block norm1;
  final CausalSelfAttention attention;
  final Block norm2;
  final FeedForward feedForward;

  @SuppressWarnings("this-escape")
  Gpt2Layer(Gpt2Config config) {
    norm1 = addChildBlock("norm1", Gpt2.layerNorm(config));
    attention = addChildBlock("attention", new CausalSelfAttention(config));
    norm2 = addChildBlock("norm2", Gpt2.layerNorm(config));
    feedForward = addChildBlock("feedForward", new FeedForward(config));
  }

  /** {@inheritDoc} */
  @Override
  protected NDList forwardInternal(
      ParameterStore parameterStore,
      NDList inputs,
      boolean training,
      PairList<String, Object> params) {
    NDArray x = inputs.head();
    NDList normed = norm1.forward(parameterStore, inputs, training);
    x = x.add(attention.forward(parameterStore, normed, training).singletonOrThrow());
    normed = norm2.forward(parameterStore, new NDList(x), training);
    return new NDList(
        x.add(feedForward.forward(parameterStore, normed, training).singletonOrThrow()));
  }

  /** {@inheritDoc} */
  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    return new Shape[] {inputShapes[0]};
  }

  /** {@inheritDoc} */
  @Override
  protected void initializeChildBlocks(NDManager manager, DataType dataType, Shape... inputShapes) {
    for (Block child : getChildren().values()) {
      child.initialize(manager, dataType, inputShapes);
    }
  }
}
