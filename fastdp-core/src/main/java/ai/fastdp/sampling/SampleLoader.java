/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.BulkDataIterable;
import ai.djl.training.dataset.DataIterable;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.training.dataset.Sampler;
import ai.djl.translate.Batchifier;
import ai.djl.translate.PaddingStackBatchifier;
import ai.djl.translate.Pipeline;
import ai.djl.translate.SimplePaddingStackBatchifier;
import ai.djl.translate.StackBatchifier;
import ai.djl.translate.TranslateException;
import java.io.IOException;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.ExecutorService;
import org.jspecify.annotations.Nullable;

/**
 * Loads the samples of a data set as DJL does, with its batchifiers and pipelines, but each sample
 * alone, so that its arrays cannot depend on the rest of the batch. Batchifiers that pad to the
 * longest sample of a batch pad to a declared length, or are refused, since one long record would
 * change what all others contribute. A data set that loads its batches by code of its own does so.
 */
final class SampleLoader {
  private final RandomAccessDataset dataset;
  private final DatasetParts parts;
  private final @Nullable SequenceLengths lengths;
  private final int dataAxis;
  private final int labelAxis;
  private final SampleBySample separate;

  /**
   * @param lengths the declared lengths; null for none
   * @param dataAxis the axis on which the data set's batchifier puts the samples of data
   * @param labelAxis the axis on which it puts the samples of labels
   * @param checking whether batchifiers and pipelines are compared with themselves on single
   *     samples
   * @throws IllegalArgumentException if the data set pads to the longest sample of a batch and no
   *     length is declared
   */
  SampleLoader(
      RandomAccessDataset dataset,
      @Nullable SequenceLengths lengths,
      int dataAxis,
      int labelAxis,
      boolean checking) {
    this.dataset = dataset;
    this.lengths = lengths;
    this.dataAxis = dataAxis;
    this.labelAxis = labelAxis;
    separate = new SampleBySample(checking);
    parts = new DatasetParts(dataset);
    if (lengths == null) {
      requireFixed("data", parts.dataBatchifier());
      requireFixed("labels", parts.labelBatchifier());
    } else if (isPadded() && !isDjlsPath()) {
      throw new IllegalArgumentException(
          "dataset must be loaded by DJL's own getData for padding to a declared length, got "
              + dataset.getClass().getName()
              + ", which overrides it; pad to a fixed, public length in it, and leave optPadTo"
              + " out");
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
              + " PrivacyEngineBuilder.optPadTo(length)");
    }
  }

  private boolean isPadded() {
    return !(parts.dataBatchifier() instanceof StackBatchifier
        && parts.labelBatchifier() instanceof StackBatchifier);
  }

  private boolean isDjlsPath() {
    Class<?> owner = loading();
    return owner == RandomAccessDataset.class || owner == ArrayDataset.class;
  }

  /** The class whose code loads the data set's batches. */
  private Class<?> loading() {
    try {
      return dataset
          .getClass()
          .getMethod("getData", NDManager.class, Sampler.class, ExecutorService.class)
          .getDeclaringClass();
    } catch (NoSuchMethodException e) {
      throw new LinkageError("this version of DJL loads data sets differently", e);
    }
  }

  /** The batches of a sampler. */
  Iterator<Batch> load(NDManager manager, Sampler sampler, @Nullable ExecutorService executor)
      throws IOException, TranslateException {
    if (!isDjlsPath()) {
      return dataset.getData(manager, sampler, executor).iterator();
    }
    dataset.prepare();
    Pipeline labels = parts.targetPipeline();
    Pipeline separateLabels =
        labels == null
            ? null
            : new SeparatePipeline(
                labels, "the target pipeline's labels", labelAxis, labelAxis, separate);
    boolean stacked =
        parts.dataBatchifier() == Batchifier.STACK && parts.labelBatchifier() == Batchifier.STACK;
    return stacked && loading() == ArrayDataset.class
        ? bulk((ArrayDataset) dataset, manager, sampler, separateLabels, executor)
        : new DataIterable(
            dataset,
            manager,
            sampler,
            separate("data", parts.dataBatchifier(), dataAxis),
            separate("labels", parts.labelBatchifier(), labelAxis),
            parts.pipeline(),
            separateLabels,
            executor,
            parts.prefetchNumber(),
            parts.device());
  }

  /** The batches of a data set of arrays, which DJL asks for all samples of a batch at once. */
  private Iterator<Batch> bulk(
      ArrayDataset arrays,
      NDManager manager,
      Sampler sampler,
      @Nullable Pipeline labels,
      @Nullable ExecutorService executor) {
    Pipeline data = parts.pipeline();
    return new BulkDataIterable(
        new IndexedRecords(arrays, sampler),
        manager,
        sampler,
        parts.dataBatchifier(),
        parts.labelBatchifier(),
        data == null
            ? null
            : new SeparatePipeline(data, "the pipeline's data", 0, dataAxis, separate),
        labels,
        executor,
        parts.prefetchNumber(),
        parts.device());
  }

  private Batchifier separate(String name, Batchifier own, int axis) {
    SequenceLengths declared = lengths;
    Batchifier fixed =
        declared == null
            ? own
            : fixed(own, name.equals("data") ? declared.data() : declared.labels(), axis);
    return SeparateBatchifier.of(fixed, "the batchifier's " + name, axis, separate);
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
