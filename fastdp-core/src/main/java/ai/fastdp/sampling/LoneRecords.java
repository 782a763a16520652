/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.training.dataset.Record;
import ai.djl.training.dataset.Sampler;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;

/**
 * Asks code that loads whole batches for one record at a time, and joins these: so no row of a
 * batch can depend on another, whatever the code does with the rows that it is given, at random or
 * not.
 *
 * <p>DJL's own code is asked for all records at once, by their indices and never for a range: a
 * part that {@code randomSplit} of DJL 0.35.1 returns does not map a range to its own records and
 * gives those of other parts, so that a validation set would be trained on.
 */
final class LoneRecords extends ArrayDataset {
  private final RandomAccessDataset own;
  private final BatchCode code;
  private final boolean apart;
  private final int dataAxis;
  private final int labelAxis;

  /** Loads batches of records. */
  interface BatchCode {
    /**
     * Loads a batch.
     *
     * @param manager the parent of the batch's arrays
     * @param indices the records
     */
    Batch load(NDManager manager, long... indices);
  }

  /**
   * @param own the data set
   * @param code its code for batches
   * @param apart whether the code is asked for one record at a time
   * @param dataAxis the axis on which the code puts the samples of data
   * @param labelAxis the axis on which it puts the samples of labels
   * @param unused DJL wants a sampler
   */
  LoneRecords(
      RandomAccessDataset own,
      BatchCode code,
      boolean apart,
      int dataAxis,
      int labelAxis,
      Sampler unused) {
    super(new Building().setSampling(unused));
    this.own = own;
    this.code = code;
    this.apart = apart;
    this.dataAxis = dataAxis;
    this.labelAxis = labelAxis;
  }

  @Override
  public Record get(NDManager manager, long index) {
    throw new UnsupportedOperationException("records are asked for in batches");
  }

  @Override
  public Batch getByRange(NDManager manager, long fromIndex, long toIndex) {
    return getByIndices(manager, LongStream.range(fromIndex, toIndex).toArray());
  }

  @Override
  public Batch getByIndices(NDManager manager, long... indices) {
    if (!apart) {
      return code.load(manager, indices);
    }
    // Threads that load ahead take turns: code for whole batches may not expect to be shared.
    synchronized (own) {
      return oneByOne(manager, indices);
    }
  }

  private Batch oneByOne(NDManager manager, long... indices) {
    try (NDManager alone = manager.newSubManager()) {
      List<NDList> data = new ArrayList<>();
      List<NDList> labels = new ArrayList<>();
      for (long index : indices) {
        Batch one = code.load(alone, index);
        one.getData().forEach(a -> PoissonBatches.requireSamples("data", a, dataAxis, 1));
        one.getLabels().forEach(a -> PoissonBatches.requireSamples("labels", a, labelAxis, 1));
        data.add(one.getData());
        labels.add(one.getLabels());
      }
      NDList allData = SampleBySample.join("data", data, dataAxis);
      NDList allLabels = SampleBySample.join("labels", labels, labelAxis);
      allData.attach(manager);
      allLabels.attach(manager);
      return new Batch(manager, allData, allLabels, indices.length, null, null, 0, 0);
    }
  }

  @Override
  public long size() {
    return own.size();
  }

  @Override
  protected long availableSize() {
    return own.size();
  }

  private static final class Building extends BaseBuilder<Building> {
    @Override
    protected Building self() {
      return this;
    }
  }
}
