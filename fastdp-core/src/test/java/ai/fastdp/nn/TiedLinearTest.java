/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.core.Linear;
import ai.djl.nn.transformer.IdEmbedding;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class TiedLinearTest {

  private static final int VOCABULARY = 7;
  private static final int WIDTH = 5;

  private final NDManager manager = NDManager.newBaseManager("PyTorch");
  private final IdEmbedding embedding =
      new IdEmbedding.Builder().setDictionarySize(VOCABULARY).setEmbeddingSize(WIDTH).build();
  private final TiedLinear head = new TiedLinear(embedding);

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void forward_anyRank_isTheProductWithTheTransposedTable() {
    embedding.initialize(manager, DataType.FLOAT32, new Shape(2, 3));
    NDArray table = table(embedding);
    for (Shape shape : new Shape[] {new Shape(4, WIDTH), new Shape(2, 3, WIDTH)}) {
      NDArray hidden = manager.randomNormal(shape);
      NDArray expected =
          hidden
              .reshape(-1, WIDTH)
              .dot(table.transpose())
              .reshape(shape.slice(0, shape.dimension() - 1).add(VOCABULARY));
      for (boolean training : new boolean[] {false, true}) {
        NDArray logits =
            head.forward(new ParameterStore(manager, false), new NDList(hidden), training).head();
        assertThat(logits.getShape()).isEqualTo(expected.getShape());
        assertThat(logits.sub(expected).abs().max().getFloat()).isLessThan(1e-6f);
      }
      assertThat(head.getOutputShapes(new Shape[] {shape})[0]).isEqualTo(expected.getShape());
    }
  }

  @Test
  void backward_bothUses_addUpInTheOneTable() {
    embedding.initialize(manager, DataType.FLOAT32, new Shape(1));
    NDArray table = table(embedding);
    NDArray hidden = manager.randomNormal(new Shape(3, WIDTH));
    NDArray ids = manager.create(new long[] {1, 1, 6});
    ParameterStore store = new ParameterStore(manager, false);
    try (GradientCollector collector = manager.getEngine().newGradientCollector()) {
      NDArray read = embedding.forward(store, new NDList(ids), true).head();
      NDArray logits = head.forward(store, new NDList(hidden), true).head();
      collector.backward(read.sum().add(logits.sum()));
    }
    // Every row gets the sum of the hidden states, a row that was read gets 1 for each time more.
    NDArray counts = manager.create(new float[] {0, 2, 0, 0, 0, 0, 1}).expandDims(1);
    NDArray expected = counts.add(hidden.sum(new int[] {0}).expandDims(0));
    assertThat(table.getGradient().sub(expected).abs().max().getFloat()).isLessThan(1e-5f);
  }

  @Test
  void initialize_headFirst_initializesTheTable() {
    head.initialize(manager, DataType.FLOAT32, new Shape(2, WIDTH));
    NDArray table = table(embedding);
    assertThat(table.getShape()).isEqualTo(new Shape(VOCABULARY, WIDTH));
    embedding.initialize(manager, DataType.FLOAT32, new Shape(2, 3));
    assertThat(table(embedding)).isSameAs(table);
    assertThat(table(head)).isSameAs(table);
  }

  @Test
  void initialize_anotherWidth_isRefused() {
    assertThatThrownBy(() -> head.initialize(manager, DataType.FLOAT32, new Shape(2, WIDTH + 1)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("must have shape (vocabulary, 6), got (7, 5)");
  }

  @Test
  void construct_blockWithTwoParameters_isRefused() {
    Block linear = Linear.builder().setUnits(3).build();
    assertThatThrownBy(() -> new TiedLinear(linear))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("exactly one parameter, got [weight, bias]");
  }

  @Test
  void parameters_sharedObject_isListedUnderBothBlocks() {
    Tied tied = new Tied();
    assertThat(tied.getParameters().values()).hasSize(2);
    assertThat(tied.getParameters().valueAt(0)).isSameAs(tied.getParameters().valueAt(1));
  }

  @Test
  void saveParameters_table_isWrittenOnceAndLoadedForBoth() throws Exception {
    Tied saved = new Tied();
    saved.initialize(manager, DataType.FLOAT32, new Shape(2, 3));
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    saved.saveParameters(new DataOutputStream(all));
    ByteArrayOutputStream headOnly = new ByteArrayOutputStream();
    saved.head.saveParameters(new DataOutputStream(headOnly));
    assertThat(headOnly.size()).isLessThan(VOCABULARY * WIDTH * Float.BYTES);

    Tied loaded = new Tied();
    DataInputStream in = new DataInputStream(new ByteArrayInputStream(all.toByteArray()));
    loaded.loadParameters(manager, in);
    assertThat(in.read()).isEqualTo(-1);
    assertThat(table(loaded.head).toFloatArray()).isEqualTo(table(saved.table).toFloatArray());
    NDList ids = new NDList(manager.create(new long[][] {{1, 2}}));
    ParameterStore store = new ParameterStore(manager, false);
    assertThat(loaded.forward(store, ids, false).head().toFloatArray())
        .isEqualTo(saved.forward(store, ids, false).head().toFloatArray());
  }

  private static NDArray table(Block block) {
    return block.getDirectParameters().valueAt(0).getArray();
  }

  /** An embedding and the head that is tied to it. */
  private static final class Tied extends AbstractBlock {

    final IdEmbedding table =
        addChildBlock(
            "table",
            new IdEmbedding.Builder()
                .setDictionarySize(VOCABULARY)
                .setEmbeddingSize(WIDTH)
                .build());
    final TiedLinear head = addChildBlock("head", new TiedLinear(table));

    @Override
    protected NDList forwardInternal(
        ParameterStore store,
        NDList inputs,
        boolean training,
        ai.djl.util.PairList<String, Object> params) {
      return head.forward(store, table.forward(store, inputs, training), training);
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
      return head.getOutputShapes(table.getOutputShapes(inputShapes));
    }

    @Override
    protected void initializeChildBlocks(
        NDManager parent, DataType dataType, Shape... inputShapes) {
      table.initialize(parent, dataType, inputShapes);
      head.initialize(parent, dataType, table.getOutputShapes(inputShapes));
    }
  }
}
