/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.training.dataset.Sampler;
import ai.djl.translate.TranslateException;
import ai.fastdp.internal.hook.SampleAxis;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Queue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.function.IntSupplier;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/**
 * The micro-batches of a run of logical steps over a data set.
 *
 * <p>Each logical batch is drawn by Poisson sampling and cut into physical micro-batches. DJL's own
 * loader fetches the samples, so that batchifiers, pipelines and prefetching work as ever;
 * sequences are padded to a declared length in place of the longest sample's.
 */
public final class PoissonBatches implements Iterator<PrivateBatch> {
  private final NDManager manager;
  private final DrawnSamples samples;
  private final RandomAccessDataset dataset;
  private final int dataAxis;
  private final int labelAxis;
  private final IntSupplier physicalBatchSize;
  private final long firstStep;
  private final long lastStep;
  private final long steps;
  private final Queue<Chunk> toReturn = new ArrayDeque<>();
  private final Iterator<Batch> loader;
  private final @Nullable LoneSampleCheck check;
  private final @Nullable RecordMemoryCheck memory;
  private long loaded;
  private boolean refused;
  private long nextToDraw;
  // The samples of the newest logical batch, and how many of them have been cut off.
  private long[] drawn = {};
  private int cut;

  private record Chunk(long step, int size, boolean last, List<Long> indices) {}

  /**
   * Draws batches as they are asked for.
   *
   * @param dataset the data set
   * @param manager the manager of the batches
   * @param executor loads samples ahead; null for none
   * @param samples the run's logical batches
   * @param dataAxis the axis on which the data set's batchifier puts the samples of data
   * @param labelAxis the axis on which it puts the samples of labels
   * @param physicalBatchSize the largest number of samples in the micro-batch that is cut next
   * @param firstStep the number of the first logical step, from 1
   * @param count how many logical steps to draw
   * @param steps the number of steps of the whole plan, for progress
   * @param lengths the lengths to which sequences are padded or cut; null for none
   * @param checking whether samples are also loaded alone, and compared with those in batches
   * @throws IllegalArgumentException if the data set has a sampler of a class of the user's own, or
   *     pads to the longest sample of a batch and no length is declared
   * @throws IOException if the data set cannot be read
   * @throws TranslateException if the data set's pipeline fails
   */
  public PoissonBatches(
      RandomAccessDataset dataset,
      NDManager manager,
      @Nullable ExecutorService executor,
      DrawnSamples samples,
      int dataAxis,
      int labelAxis,
      IntSupplier physicalBatchSize,
      long firstStep,
      long count,
      long steps,
      @Nullable SequenceLengths lengths,
      boolean checking)
      throws IOException, TranslateException {
    this.dataset = dataset;
    this.manager = manager;
    this.samples = samples;
    this.dataAxis = dataAxis;
    this.labelAxis = labelAxis;
    this.physicalBatchSize = physicalBatchSize;
    this.firstStep = firstStep;
    this.lastStep = firstStep + count - 1;
    this.steps = steps;
    nextToDraw = firstStep;
    DatasetParts.requireDjlsSampler(dataset);
    SampleLoader loading = new SampleLoader(dataset, lengths, dataAxis, labelAxis, checking);
    check =
        checking
            ? new LoneSampleCheck(
                loading, manager, new SampleAxis(dataAxis), new SampleAxis(labelAxis))
            : null;
    memory = checking ? new RecordMemoryCheck(loading, dataset, manager) : null;
    if (memory != null && samples.isFirstUse()) {
      dataset.prepare();
      memory.beforeTheFirst();
    }
    loader = loading.load(manager, new Chunks(), executor);
  }

  @Override
  public boolean hasNext() {
    return !toReturn.isEmpty() || cut < drawn.length || nextToDraw <= lastStep;
  }

  @Override
  public PrivateBatch next() {
    if (!hasNext()) {
      throw new NoSuchElementException(
          "steps " + firstStep + " to " + lastStep + " have all been drawn");
    }
    if (toReturn.isEmpty() && cut == drawn.length) {
      draw();
    }
    Chunk first = toReturn.peek();
    if (first != null && first.size() == 0) {
      toReturn.remove();
      return PrivateBatch.empty(manager, first.step(), steps);
    }
    // Where nothing is loaded ahead the chunk is cut now.
    Batch batch = load();
    Chunk chunk = toReturn.remove();
    int count = chunk.size();
    batch.getData().forEach(array -> requireSamples("data", array, dataAxis, count));
    batch.getLabels().forEach(array -> requireSamples("labels", array, labelAxis, count));
    if (check != null) {
      check.look(chunk.indices(), batch);
    }
    loaded++;
    if (memory != null && (loaded & (loaded - 1)) == 0) {
      memory.later();
    }
    return PrivateBatch.of(
        batch,
        count,
        chunk.step(),
        steps,
        chunk.last(),
        new SampleAxis(dataAxis),
        new SampleAxis(labelAxis));
  }

  private Batch load() {
    try {
      return loader.next();
    } catch (IllegalStateException e) {
      // DJL wraps what a thread that loads ahead has thrown.
      if (e.getCause() instanceof ExecutionException ahead
          && ahead.getCause() instanceof DependentSampleException refusal) {
        awaitLoading();
        throw refusal;
      }
      throw e;
    }
  }

  /** Waits for what is being loaded ahead: whoever catches the error may close its manager. */
  private void awaitLoading() {
    refused = true;
    while (loader.hasNext()) {
      try {
        loader.next().close();
      } catch (IllegalStateException alsoRefused) {
        // The first refusal is thrown.
      }
    }
  }

  /** Checks that an array has the samples on an axis. */
  static void requireSamples(String name, NDArray array, int axis, int count) {
    if (array.getShape().dimension() <= axis || array.getShape().get(axis) != count) {
      throw new IllegalArgumentException(
          name
              + " must have the samples of the batch on "
              + (axis == 0 ? "the first axis" : "axis " + axis)
              + ", got "
              + new SampleAxis(axis).describe(array.getShape(), count)
              + "; use a batchifier that stacks samples on axis "
              + axis
              + ", or declare their axis by PrivacyEngineBuilder.optBatchAxes");
    }
  }

  private void draw() {
    long step = nextToDraw++;
    drawn = samples.of(step, dataset.size());
    cut = 0;
    if (drawn.length == 0) {
      toReturn.add(new Chunk(step, 0, true, List.of()));
    }
  }

  private List<Long> cut() {
    int size = Math.min(physicalBatchSize.getAsInt(), drawn.length - cut);
    List<Long> indices = LongStream.of(drawn).skip(cut).limit(size).boxed().toList();
    cut += size;
    toReturn.add(new Chunk(nextToDraw - 1, size, cut == drawn.length, indices));
    return indices;
  }

  /** The chunks with samples, as DJL's loader asks for them: ahead of {@link #next()}. */
  private final class Chunks implements Sampler {
    @Override
    public Iterator<List<Long>> sample(RandomAccessDataset ignored) {
      return new Iterator<>() {
        @Override
        public boolean hasNext() {
          while (!refused && cut == drawn.length && nextToDraw <= lastStep) {
            draw();
          }
          return !refused && cut < drawn.length;
        }

        @Override
        public List<Long> next() {
          if (!hasNext()) {
            throw new NoSuchElementException("all batches have been drawn");
          }
          return cut();
        }
      };
    }

    @Override
    public int getBatchSize() {
      return physicalBatchSize.getAsInt();
    }
  }
}
