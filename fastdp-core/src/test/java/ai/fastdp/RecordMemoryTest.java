/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.BatchSampler;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.training.dataset.Record;
import ai.djl.training.dataset.Sampler;
import ai.djl.training.dataset.SequenceSampler;
import ai.djl.translate.Transform;
import ai.djl.translate.TranslateException;
import ai.djl.util.Progress;
import ai.fastdp.sampling.PrivateBatch;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Code of the user's own loads one record at a time, and is refused if it keeps something of a
 * record that later ones show.
 */
@Tag("slow")
final class RecordMemoryTest {
  private static final int SAMPLES = 60;
  private static final String REFUSAL = "values that depend on the records loaded before";

  private final Random random = new Random(3);
  private NDManager manager;

  @BeforeEach
  void open() {
    manager = NDManager.newBaseManager("PyTorch");
  }

  @AfterEach
  void close() {
    manager.close();
  }

  // ---------------------------------------------------------------- batches of the user's own

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void batches_ownGetByIndicesThatMixesUnderNoise_loadsEachRecordAlone(boolean checked)
      throws Exception {
    requireAlone(noisyMean(), checked);
    requireAlone(noisyMean().subDataset(10, 50), checked);
  }

  private ArrayDataset noisyMean() {
    return new Arrays(x -> x) {
      @Override
      public Batch getByIndices(NDManager parent, long... indices) {
        return noisy(super.getByIndices(parent, indices));
      }
    };
  }

  @Test
  void batches_ownGetDataThatMixesUnderNoise_loadsEachRecordAlone() throws Exception {
    Arrays own =
        new Arrays(x -> x) {
          @Override
          public Iterable<Batch> getData(
              NDManager parent, Sampler sampler, ExecutorService executor)
              throws IOException, TranslateException {
            Iterable<Batch> batches = super.getData(parent, sampler, executor);
            return () -> List.of(noisy(batches.iterator().next())).iterator();
          }
        };
    requireAlone(own, true);
    ExecutorService executor = Executors.newFixedThreadPool(2);
    try {
      requireCentred(batches(own, engine -> engine.optExecutorService(executor)));
    } finally {
      executor.shutdown();
    }
  }

  @Test
  void batches_ownGetDataThatIgnoresItsSampler_isRefused() {
    Arrays own =
        new Arrays(x -> x) {
          @Override
          public Iterable<Batch> getData(
              NDManager parent, Sampler sampler, ExecutorService executor)
              throws IOException, TranslateException {
            return super.getData(parent, new BatchSampler(new SequenceSampler(), 1), executor);
          }
        };
    assertThatThrownBy(() -> batches(own, engine -> engine))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("getData of", own.getClass().getName(), "hand the sampler on");
  }

  @Test
  void batches_ownGetDataWithoutBatches_isRefused() {
    Arrays own =
        new Arrays(x -> x) {
          @Override
          public Iterable<Batch> getData(
              NDManager parent, Sampler sampler, ExecutorService executor) {
            return List.of();
          }
        };
    assertThatThrownBy(() -> batches(own, engine -> engine))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("getData of", "got no batch");
  }

  /** Subtracts the mean of the batch, which looks like augmentation. */
  private Batch noisy(Batch batch) {
    NDArray x = batch.getData().head();
    NDArray centred = x.sub(x.mean(new int[] {0}, true)).add(1e-3f * random.nextFloat());
    return new Batch(
        batch.getManager(),
        new NDList(centred),
        batch.getLabels(),
        batch.getSize(),
        null,
        null,
        0,
        0);
  }

  private void requireAlone(RandomAccessDataset own, boolean checked) throws Exception {
    requireCentred(batches(own, engine -> engine.optSelfCheck(checked)));
  }

  private static void requireCentred(List<float[]> batches) {
    for (float[] batch : batches) {
      for (float value : batch) {
        // A record's own mean is the record.
        assertThat(value).isBetween(0f, 1e-3f);
      }
    }
  }

  // ---------------------------------------------------------------- memory of records

  @Test
  void batches_transformThatKeepsTheFirstArray_isRefused() {
    AtomicReference<Float> first = new AtomicReference<>();
    Transform kept =
        new Transform() {
          private @Nullable Float scale;

          @Override
          public NDArray transform(NDArray x) {
            if (scale == null) {
              scale = x.abs().max().getFloat();
            }
            return x.div(scale).add(random.nextFloat());
          }
        };
    Map<String, Float> scales = new HashMap<>();
    requireRefused(new Arrays(kept::transform));
    requireRefused(
        new Arrays(
            x -> {
              first.compareAndSet(null, x.max().getFloat());
              return x.sub(first.get());
            }));
    requireRefused(
        new Arrays(x -> x.div(scales.computeIfAbsent("scale", key -> x.max().getFloat()))));
  }

  @Test
  void batches_runningMaximumInGet_isRefused() {
    requireRefused(
        new Records() {
          private float largest;

          @Override
          float[] record(long index) {
            largest = Math.max(largest, (float) index);
            return new float[] {index / (1 + largest), 1, 2};
          }
        });
  }

  @Test
  void batches_smoothedOverRecordsInOneBuffer_isRefused() {
    NDArray buffer = manager.zeros(new Shape(3));
    requireRefused(
        new Records() {
          @Override
          float[] record(long index) {
            buffer.muli(0.5f).addi(index + random.nextFloat());
            return buffer.toFloatArray();
          }
        });
  }

  @Test
  void batches_transformThatKeepsTheNewestArrayFromTheStart_isRefused() {
    float[] newest = {0};
    requireRefused(
        new Arrays(
            x -> {
              float before = newest[0];
              newest[0] = x.max().getFloat();
              return x.add(before);
            }));
  }

  @Test
  void batches_countersCachesAndAugmentation_areNotRefused() throws Exception {
    AtomicInteger calls = new AtomicInteger();
    Map<Long, float[]> cache = new HashMap<>();
    Records records =
        new Records() {
          @Override
          float[] record(long index) {
            float[] own = cache.computeIfAbsent(index, i -> new float[] {i, 1, 2}).clone();
            own[1] = calls.incrementAndGet() % 3;
            own[2] = random.nextFloat() < 0.1 ? -1 : 1;
            return own;
          }
        };
    assertThat(batches(records, engine -> engine)).isNotEmpty();
    assertThat(batches(new Arrays(x -> x.mul(random.nextFloat())), engine -> engine)).isNotEmpty();
  }

  private void requireRefused(RandomAccessDataset dataset) {
    assertThatThrownBy(() -> batches(dataset, engine -> engine))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContainingAll(
            dataset.getClass().getName(), "its own record alone", REFUSAL, "public data");
  }

  // ---------------------------------------------------------------- plumbing

  /** The data of the first step. */
  private List<float[]> batches(
      RandomAccessDataset dataset, UnaryOperator<PrivacyEngineBuilder> settings) throws Exception {
    PrivacyEngineBuilder engine =
        OneStep.engine(
            OneStep.everySample(dataset.size(), 1).build(),
            (labels, outputs) -> outputs.head().square().sum(new int[] {1}));
    try (Model model =
            OneStep.model(
                new Wiring((call, x) -> call.run("a", x)).part("a", Recipe.linear(2), 3));
        PrivateTrainer trainer =
            settings.apply(engine).build().attach(model, new CapturingOptimizer())) {
      trainer.initialize(new Shape(1, 3));
      List<float[]> data = new ArrayList<>();
      for (PrivateBatch batch : trainer.batches(dataset)) {
        data.add(batch.getData().head().toFloatArray());
        trainer.trainBatch(batch);
        trainer.step();
        batch.close();
        if ((long) data.size() * batch.getSize() >= dataset.size()) {
          break;
        }
      }
      return data;
    }
  }

  private class Arrays extends ArrayDataset {
    Arrays(UnaryOperator<NDArray> change) {
      super(
          new ArrayDataset.Builder()
              .setData(manager.arange(3f * SAMPLES).reshape(SAMPLES, 3).add(1))
              .optLabels(manager.arange((float) SAMPLES).reshape(SAMPLES, 1))
              .addTransform(transform(change))
              .setSampling(4, false));
      data = new NDArray[] {manager.arange(3f * SAMPLES).reshape(SAMPLES, 3).add(1)};
      labels = new NDArray[] {manager.arange((float) SAMPLES).reshape(SAMPLES, 1)};
    }
  }

  private static Transform transform(UnaryOperator<NDArray> change) {
    return change::apply;
  }

  private abstract static class Records extends RandomAccessDataset {
    Records() {
      super(new ArrayDataset.Builder().setSampling(4, false));
    }

    abstract float[] record(long index);

    @Override
    public Record get(NDManager parent, long index) {
      return new Record(
          new NDList(parent.create(record(index))), new NDList(parent.create(new float[] {index})));
    }

    @Override
    protected long availableSize() {
      return SAMPLES;
    }

    @Override
    public void prepare(Progress progress) {}
  }
}
