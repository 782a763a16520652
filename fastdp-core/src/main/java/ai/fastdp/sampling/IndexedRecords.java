/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.Record;
import ai.djl.training.dataset.Sampler;
import ai.djl.util.Progress;
import java.io.IOException;
import java.util.stream.LongStream;

/**
 * Asks a data set of arrays for samples by their indices, never for a range.
 *
 * <p>A part that {@code randomSplit} of DJL 0.35.1 returns does not map a range to its own records
 * and gives those of other parts, so that a validation set would be trained on.
 */
final class IndexedRecords extends ArrayDataset {
  private final ArrayDataset own;

  IndexedRecords(ArrayDataset own, Sampler unused) {
    super(new Building().setSampling(unused));
    this.own = own;
  }

  @Override
  public Record get(NDManager manager, long index) {
    return own.get(manager, index);
  }

  @Override
  public Batch getByIndices(NDManager manager, long... indices) {
    return own.getByIndices(manager, indices);
  }

  @Override
  public Batch getByRange(NDManager manager, long fromIndex, long toIndex) {
    return own.getByIndices(manager, LongStream.range(fromIndex, toIndex).toArray());
  }

  @Override
  public long size() {
    return own.size();
  }

  @Override
  protected long availableSize() {
    return own.size();
  }

  @Override
  public void prepare(Progress progress) throws IOException {
    own.prepare(progress);
  }

  private static final class Building extends BaseBuilder<Building> {
    @Override
    protected Building self() {
      return this;
    }
  }
}
