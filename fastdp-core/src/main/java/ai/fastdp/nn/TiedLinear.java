/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.nn;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.ParameterList;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;

/**
 * A linear layer without bias whose weight is the table of an embedding block: the head of a
 * language model with tied weights.
 *
 * <p>\(y = h W^\top\)
 *
 * <ul>
 *   <li>W: (vocabulary, d), the one parameter of the embedding block, shared and never copied
 *   <li>h: (x1, ..., xn, d); y: (x1, ..., xn, vocabulary)
 * </ul>
 *
 * <p>The shared {@link Parameter} object is a direct parameter of both blocks, so whoever walks the
 * model sees that they are one. It is saved and loaded by the embedding only.
 */
public class TiedLinear extends AbstractBlock {

  private static final byte VERSION = 1;

  private final Block embedding;
  private final Parameter weight;

  /**
   * Ties a head to an embedding block.
   *
   * @param embedding a block whose only direct parameter is a table of shape (vocabulary, d), such
   *     as {@link ai.djl.nn.core.Embedding} or {@link ai.djl.nn.transformer.IdEmbedding}
   * @throws IllegalArgumentException if the block does not have exactly one direct parameter
   */
  @SuppressWarnings("this-escape")
  public TiedLinear(Block embedding) {
    super(VERSION);
    ParameterList owned = embedding.getDirectParameters();
    if (owned.size() != 1) {
      throw new IllegalArgumentException(
          "embedding must own exactly one parameter, got " + owned.keys());
    }
    this.embedding = embedding;
    this.weight = addParameter(owned.valueAt(0));
  }

  /** {@inheritDoc} */
  @Override
  protected NDList forwardInternal(
      ParameterStore parameterStore,
      NDList inputs,
      boolean training,
      PairList<String, Object> params) {
    NDArray input = inputs.singletonOrThrow();
    NDArray table = parameterStore.getValue(weight, input.getDevice(), training);
    return Linear.linear(input, table);
  }

  /** {@inheritDoc} */
  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    Shape table = weight.getShape();
    if (table == null) {
      throw new IllegalStateException("the tied embedding must be initialized first");
    }
    Shape input = inputShapes[0];
    return new Shape[] {input.slice(0, input.dimension() - 1).add(table.get(0))};
  }

  /**
   * {@inheritDoc}
   *
   * <p>The table is made by the embedding block: one that is not initialized yet is initialized
   * here.
   *
   * @throws IllegalArgumentException if the last axis of the input is not as wide as the table
   */
  @Override
  public void initialize(NDManager manager, DataType dataType, Shape... inputShapes) {
    if (!weight.isInitialized()) {
      embedding.initialize(manager, dataType, new Shape(1));
    }
    Shape table = weight.getArray().getShape();
    Shape input = inputShapes[0];
    long width = input.get(input.dimension() - 1);
    if (table.dimension() != 2 || table.get(1) != width) {
      throw new IllegalArgumentException(
          "the tied table must have shape (vocabulary, " + width + "), got " + table);
    }
    super.initialize(manager, dataType, inputShapes);
  }

  /** {@inheritDoc} */
  @Override
  public void saveParameters(DataOutputStream os) throws IOException {
    os.writeByte(version);
    saveMetadata(os);
  }

  /** {@inheritDoc} */
  @Override
  public void loadParameters(NDManager manager, DataInputStream is)
      throws IOException, MalformedModelException {
    loadMetadata(is.readByte(), is);
  }
}
