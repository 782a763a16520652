/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.training.dataset.Sampler;
import ai.djl.translate.TranslateException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Iterator;
import java.util.List;
import java.util.stream.LongStream;

/** The batches of a data set whose class loads them by a {@code getData} of the user's own. */
record OwnGetData(RandomAccessDataset dataset) implements LoneRecords.BatchCode {
  @Override
  public Batch load(NDManager manager, long... indices) {
    Once sampler = new Once(LongStream.of(indices).boxed().toList());
    Iterator<Batch> batches = batches(manager, sampler);
    if (!batches.hasNext()) {
      throw refusal("no batch");
    }
    Batch batch = batches.next();
    if (!sampler.asked) {
      throw refusal("a batch without a look at its sampler");
    }
    if (batch.getSize() != indices.length) {
      throw refusal("another number of samples");
    }
    return batch;
  }

  private Iterator<Batch> batches(NDManager manager, Sampler sampler) {
    try {
      return dataset.getData(manager, sampler, null).iterator();
    } catch (IOException e) {
      throw new UncheckedIOException("loading samples failed", e);
    } catch (TranslateException e) {
      throw new IllegalStateException("loading samples failed", e);
    }
  }

  private IllegalArgumentException refusal(String got) {
    return new IllegalArgumentException(
        "getData of "
            + dataset.getClass().getName()
            + " must load the samples that its sampler names, got "
            + got
            + "; hand the sampler on, as super.getData(manager, sampler, executor) does, and keep"
            + " the size of the batch as it is");
  }

  /** Names the samples of one batch. */
  private static final class Once implements Sampler {
    private final List<Long> indices;
    private boolean asked;

    Once(List<Long> indices) {
      this.indices = indices;
    }

    @Override
    public Iterator<List<Long>> sample(RandomAccessDataset ignored) {
      asked = true;
      return List.of(indices).iterator();
    }

    @Override
    public int getBatchSize() {
      return indices.size();
    }
  }
}
