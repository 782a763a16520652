/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.training.dataset.Record;
import ai.djl.util.Progress;
import ai.fastdp.sampling.PrivateBatch;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.LongConsumer;

/** Samples whose first feature is their index, so that a batch tells which samples it has. */
final class IndexedRows extends RandomAccessDataset {
  private final int size;
  private final LongConsumer beforeEach;
  private final List<Long> asked = Collections.synchronizedList(new ArrayList<>());

  private IndexedRows(Builder builder) {
    super(builder);
    size = builder.size;
    beforeEach = builder.beforeEach;
  }

  static IndexedRows of(int size) {
    return of(size, index -> {});
  }

  /**
   * @param beforeEach is told of each index before the sample is read
   */
  static IndexedRows of(int size, LongConsumer beforeEach) {
    return new Builder(size, beforeEach).setSampling(1, false).build();
  }

  /** The samples of a batch. */
  static List<Long> samples(PrivateBatch batch) {
    List<Long> indices = new ArrayList<>();
    if (!batch.isEmpty()) {
      try (NDArray first = batch.getData().head().get(":, 0")) {
        for (float index : first.toFloatArray()) {
          indices.add((long) index);
        }
      }
    }
    return indices;
  }

  /** All indices that were read, in their order. */
  List<Long> asked() {
    return List.copyOf(asked);
  }

  @Override
  public Record get(NDManager manager, long index) {
    asked.add(index);
    beforeEach.accept(index);
    float[] data = {index, index % 2, 1, -1, 0.5f};
    float[] label = {index % 3, 0, 1};
    return new Record(new NDList(manager.create(data)), new NDList(manager.create(label)));
  }

  @Override
  protected long availableSize() {
    return size;
  }

  @Override
  public void prepare(Progress progress) {}

  private static final class Builder extends BaseBuilder<Builder> {
    private final int size;
    private final LongConsumer beforeEach;

    private Builder(int size, LongConsumer beforeEach) {
      this.size = size;
      this.beforeEach = beforeEach;
    }

    @Override
    protected Builder self() {
      return this;
    }

    private IndexedRows build() {
      return new IndexedRows(this);
    }
  }
}
