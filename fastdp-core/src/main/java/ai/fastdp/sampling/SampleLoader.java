/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.DataIterable;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.training.dataset.Sampler;
import ai.djl.translate.Batchifier;
import ai.djl.translate.PaddingStackBatchifier;
import ai.djl.translate.SimplePaddingStackBatchifier;
import ai.djl.translate.StackBatchifier;
import ai.djl.translate.TranslateException;
import java.io.IOException;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.ExecutorService;
import org.jspecify.annotations.Nullable;

/**
 * Loads the samples of a data set on its own path, with its batchifiers and pipelines, but for
 * batchifiers that pad to the longest sample of a batch: these pad to a declared length, or are
 * refused, since one long record would change what all others contribute.
 */
final class SampleLoader {
  private final RandomAccessDataset dataset;
  private final DatasetParts parts;
  private final @Nullable SequenceLengths lengths;
  private final int dataAxis;
  private final int labelAxis;

  /**
   * @param lengths the declared lengths; null for none
   * @param dataAxis the axis on which the data set's batchifier puts the samples of data
   * @param labelAxis the axis on which it puts the samples of labels
   * @throws IllegalArgumentException if the data set pads to the longest sample of a batch and no
   *     length is declared
   */
  SampleLoader(
      RandomAccessDataset dataset, @Nullable SequenceLengths lengths, int dataAxis, int labelAxis) {
    this.dataset = dataset;
    this.lengths = lengths;
    this.dataAxis = dataAxis;
    this.labelAxis = labelAxis;
    parts = new DatasetParts(dataset);
    if (lengths == null) {
      requireFixed("data", parts.dataBatchifier());
      requireFixed("labels", parts.labelBatchifier());
    } else if (isPadded() && !isDjlsPath()) {
      throw new IllegalArgumentException(
          "dataset must be loaded by DJL's own getData for padding to a declared length, got "
              + dataset.getClass().getName()
              + ", which overrides it; pad to a fixed, public length in it, and leave optPadTo out");
    }
  }

  private static void requireFixed(String name, Batchifier batchifier) {
    boolean toTheLongest =
        batchifier instanceof SimplePaddingStackBatchifier
            || (batchifier instanceof PaddingStackBatchifier padding
                && DatasetParts.leastLengths(padding).contains(-1));
    if (toTheLongest) {
      throw new IllegalArgumentException(
          name
              + " of the data set must be padded to a fixed, public length, got "
              + batchifier.getClass().getSimpleName()
              + ", which pads to the longest sample of a batch, so that one record changes what"
              + " the others contribute; declare the length by"
              + " PrivacyEngine.Builder.optPadTo(length)");
    }
  }

  private boolean isPadded() {
    return !(parts.dataBatchifier() instanceof StackBatchifier
        && parts.labelBatchifier() instanceof StackBatchifier);
  }

  private boolean isDjlsPath() {
    try {
      Class<?> owner =
          dataset
              .getClass()
              .getMethod("getData", NDManager.class, Sampler.class, ExecutorService.class)
              .getDeclaringClass();
      return owner == RandomAccessDataset.class || owner == ArrayDataset.class;
    } catch (NoSuchMethodException e) {
      throw new LinkageError("this version of DJL loads data sets differently", e);
    }
  }

  /** The batches of a sampler. */
  Iterator<Batch> load(NDManager manager, Sampler sampler, @Nullable ExecutorService executor)
      throws IOException, TranslateException {
    SequenceLengths declared = lengths;
    if (declared == null || !isPadded()) {
      return dataset.getData(manager, sampler, executor).iterator();
    }
    dataset.prepare();
    return new DataIterable(
            dataset,
            manager,
            sampler,
            fixed(parts.dataBatchifier(), declared.data(), dataAxis),
            fixed(parts.labelBatchifier(), declared.labels(), labelAxis),
            parts.pipeline(),
            parts.targetPipeline(),
            executor,
            parts.prefetchNumber(),
            parts.device())
        .iterator();
  }

  private static Batchifier fixed(Batchifier own, long length, int axis) {
    return own instanceof StackBatchifier ? own : new FixedLengthBatchifier(own, length, axis);
  }

  /** A batch of given samples, on the same path. */
  Batch load(NDManager manager, List<Long> indices) throws IOException, TranslateException {
    Sampler once =
        new Sampler() {
          @Override
          public Iterator<List<Long>> sample(RandomAccessDataset ignored) {
            return List.of(indices).iterator();
          }

          @Override
          public int getBatchSize() {
            return indices.size();
          }
        };
    return load(manager, once, null).next();
  }
}
