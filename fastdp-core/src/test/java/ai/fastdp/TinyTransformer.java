/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.nn.transformer.IdEmbedding;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import ai.fastdp.nn.TiedLinear;
import java.util.ArrayList;
import java.util.List;

/**
 * A small language model: embedding, pre-norm blocks with mixing over positions, a head tied to the
 * embedding. Its layers sit in fields, in a list and in the children alike.
 */
final class TinyTransformer extends AbstractBlock {
  private final IdEmbedding tokens;
  private final IdEmbedding positions;
  private final List<Layer> layers = new ArrayList<>();
  private final Block norm;
  private final Block head;
  private final int width;

  TinyTransformer(int vocabulary, int length, int width, int depth) {
    this.width = width;
    tokens =
        addChildBlock(
            "tokens",
            new IdEmbedding.Builder()
                .setDictionarySize(vocabulary)
                .setEmbeddingSize(width)
                .build());
    positions =
        addChildBlock(
            "positions",
            new IdEmbedding.Builder().setDictionarySize(length).setEmbeddingSize(width).build());
    for (int i = 0; i < depth; i++) {
      layers.add(addChildBlock("layer", new Layer(width)));
    }
    norm = addChildBlock("norm", LayerNorm.builder().axis(2).build());
    head = addChildBlock("head", new TiedLinear(tokens));
  }

  @Override
  protected NDList forwardInternal(
      ParameterStore store, NDList inputs, boolean training, PairList<String, Object> params) {
    NDArray ids = inputs.head();
    NDManager manager = ids.getManager();
    NDArray places =
        manager
            .arange((int) ids.getShape().get(1))
            .toType(DataType.INT64, false)
            .expandDims(0)
            .broadcast(ids.getShape());
    NDArray h =
        tokens
            .forward(store, new NDList(ids), training)
            .head()
            .add(positions.forward(store, new NDList(places), training).head());
    for (Layer layer : layers) {
      h = layer.forward(store, new NDList(h), training).head();
    }
    return head.forward(store, norm.forward(store, new NDList(h), training), training);
  }

  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    return new Shape[] {inputShapes[0].add(width)};
  }

  @Override
  protected void initializeChildBlocks(NDManager manager, DataType type, Shape... inputShapes) {
    Shape hidden = inputShapes[0].add(width);
    tokens.initialize(manager, type, inputShapes);
    positions.initialize(manager, type, inputShapes);
    layers.forEach(layer -> layer.initialize(manager, type, hidden));
    norm.initialize(manager, type, hidden);
    head.initialize(manager, type, hidden);
  }

  /**
   * Averaging over positions with learned values, then a two-layer map, each behind a LayerNorm.
   */
  static class Layer extends AbstractBlock {
    private final Block[] norms = new Block[2];
    private final Linear values;
    private final Linear up;
    private final Linear down;

    Layer(int width) {
      norms[0] = addChildBlock("norm1", LayerNorm.builder().axis(2).build());
      values = addChildBlock("values", Linear.builder().setUnits(width).build());
      norms[1] = addChildBlock("norm2", LayerNorm.builder().axis(2).build());
      up = addChildBlock("up", Linear.builder().setUnits(2L * width).build());
      down = addChildBlock("down", Linear.builder().setUnits(width).optBias(false).build());
    }

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList inputs, boolean training, PairList<String, Object> params) {
      NDArray h = inputs.head();
      NDArray v =
          values.forward(store, norms[0].forward(store, new NDList(h), training), training).head();
      long length = h.getShape().get(1);
      NDArray mixing = h.getManager().ones(new Shape(1, length, length)).div(length);
      h = h.add(mixing.matMul(v));
      NDArray m =
          up.forward(store, norms[1].forward(store, new NDList(h), training), training).head();
      return new NDList(
          h.add(down.forward(store, new NDList(Activation.tanh(m)), training).head()));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
      return inputShapes;
    }

    @Override
    protected void initializeChildBlocks(NDManager manager, DataType type, Shape... shapes) {
      norms[0].initialize(manager, type, shapes);
      values.initialize(manager, type, shapes);
      norms[1].initialize(manager, type, shapes);
      up.initialize(manager, type, shapes);
      down.initialize(manager, type, up.getOutputShapes(shapes));
    }
  }
}
