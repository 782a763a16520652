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
import java.io.UncheckedIOException;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.ExecutorService;
import org.jspecify.annotations.Nullable;

/**
 * Loads the samples of a data set as DJL does, with its batchifiers and pipelines, but each sample
 * alone, so that its arrays cannot depend on the rest of the batch. Batchifiers that pad to the
 * longest sample of a batch pad to a declared length, or are refused, since one long record would
 * change what all others contribute. A data set that loads whole batches by code of the user's own
 * is asked for batches of one sample.
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
    return isDjls(declaring("getData", NDManager.class, Sampler.class, ExecutorService.class));
  }

  /** The class whose code a call of the data set runs. */
  private Class<?> declaring(String method, Class<?>... arguments) {
    try {
      return dataset.getClass().getMethod(method, arguments).getDeclaringClass();
    } catch (NoSuchMethodException e) {
      throw new LinkageError("this version of DJL loads data sets differently", e);
    }
  }

  private static boolean isDjls(Class<?> declaring) {
    return declaring == RandomAccessDataset.class || declaring == ArrayDataset.class;
  }

  /** The batches of a sampler, each sample loaded alone. */
  Iterator<Batch> load(NDManager manager, Sampler sampler, @Nullable ExecutorService executor)
      throws IOException, TranslateException {
    return load(manager, sampler, executor, true);
  }

  private Iterator<Batch> load(
      NDManager manager, Sampler sampler, @Nullable ExecutorService executor, boolean apart)
      throws IOException, TranslateException {
    if (!isDjlsPath()) {
      LoneRecords records =
          new LoneRecords(dataset, new OwnGetData(dataset), apart, dataAxis, labelAxis, sampler);
      return bulk(records, manager, sampler, null, null, executor);
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
    if (stacked && dataset instanceof ArrayDataset arrays && isBulk()) {
      Pipeline data = parts.pipeline();
      Pipeline separateData =
          data == null
              ? null
              : new SeparatePipeline(data, "the pipeline's data", 0, dataAxis, separate);
      boolean own = !DatasetParts.selectsByDjlsCode(arrays);
      LoneRecords records =
          new LoneRecords(arrays, arrays::getByIndices, own && apart, 0, 0, sampler);
      return bulk(records, manager, sampler, separateData, separateLabels, executor);
    }
    return new DataIterable(
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

  /** Whether DJL asks the data set for all samples of a batch at once. */
  private boolean isBulk() {
    return declaring("getData", NDManager.class, Sampler.class, ExecutorService.class)
        == ArrayDataset.class;
  }

  private Iterator<Batch> bulk(
      LoneRecords records,
      NDManager manager,
      Sampler sampler,
      @Nullable Pipeline data,
      @Nullable Pipeline labels,
      @Nullable ExecutorService executor) {
    return new BulkDataIterable(
        records,
        manager,
        sampler,
        parts.dataBatchifier(),
        parts.labelBatchifier(),
        data,
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

  /**
   * Loads given samples once more, for a comparison.
   *
   * @param apart whether each is loaded alone, as for training; if not, code of the user's own for
   *     whole batches is asked for all of them at once
   */
  Batch loadAgain(NDManager manager, List<Long> indices, boolean apart) {
    try {
      return load(manager, once(indices), null, apart).next();
    } catch (IOException e) {
      throw new UncheckedIOException("loading samples again failed", e);
    } catch (TranslateException e) {
      throw new IllegalStateException("loading samples again failed", e);
    }
  }

  private static Sampler once(List<Long> indices) {
    return new Sampler() {
      @Override
      public Iterator<List<Long>> sample(RandomAccessDataset ignored) {
        return List.of(indices).iterator();
      }

      @Override
      public int getBatchSize() {
        return indices.size();
      }
    };
  }
}
