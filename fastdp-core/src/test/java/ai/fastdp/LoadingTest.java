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
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.training.dataset.Record;
import ai.djl.training.dataset.Sampler;
import ai.djl.translate.Batchifier;
import ai.djl.translate.StackBatchifier;
import ai.djl.translate.Transform;
import ai.djl.translate.TranslateException;
import ai.djl.util.Progress;
import ai.fastdp.sampling.PrivateBatch;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Samples are loaded each alone, and batchifiers and pipelines that mix them are refused. */
@Tag("slow")
final class LoadingTest {
  private static final int SAMPLES = 60;

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

  // ---------------------------------------------------------------- batchifiers

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void batches_batchMeanBehindRandomRecords_isRefused(boolean ahead) {
    ExecutorService executor = Executors.newSingleThreadExecutor();
    try {
      assertThatThrownBy(
              () ->
                  batches(
                      new Jittering(changed(LoadingTest::centred), Batchifier.STACK),
                      engine -> ahead ? engine.optExecutorService(executor) : engine))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContainingAll("the batchifier's data", "its own record alone", "other values")
          .hasMessageNotContaining("pad to");
    } finally {
      executor.shutdown();
    }
  }

  @Test
  void batches_checkSwitchedOff_batchMeanIsOfEachSampleAlone() throws Exception {
    List<float[]> data =
        batches(
            new Jittering(changed(LoadingTest::centred), Batchifier.STACK),
            engine -> engine.optSelfCheck(false));
    assertThat(data.get(0)).containsOnly(0);
  }

  @Test
  void batches_labelsChangedByTheBatchWhileDataAreRandom_isRefused() {
    Batchifier own = changed(labels -> labels.mul(labels.getShape().get(0) % 2 == 0 ? 1 : -1));
    assertThatThrownBy(() -> batches(new Jittering(Batchifier.STACK, own), engine -> engine))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("the batchifier's labels");
  }

  @Test
  void batches_batchMeanBesideTimeStamps_isRefused() {
    Batchifier own =
        changed(
            x -> {
              NDArray stamps = x.get(":,:1").zerosLike().add(1.7e9f);
              return centred(x.get(":,1:")).concat(stamps, 1);
            });
    assertThatThrownBy(() -> batches(new Jittering(own, Batchifier.STACK), engine -> engine))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("other values");
  }

  @Test
  void batches_oneRowCutByTheLargestOfTheBatch_isRefused() {
    // Written to in place, so that a second call on the same arrays would change nothing.
    Batchifier own =
        new StackBatchifier() {
          private static final long serialVersionUID = 1;

          @Override
          public NDList batchify(NDList[] inputs) {
            for (NDList input : inputs) {
              NDArray x = input.head();
              if (inputs.length > 2 && x.max().getFloat() > SAMPLES) {
                x.muli(0.5f);
              }
            }
            return super.batchify(inputs);
          }
        };
    assertThatThrownBy(() -> batches(new Jittering(own, Batchifier.STACK), engine -> engine))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("other values");
  }

  @Test
  void batches_batchifierThatMasksAtRandom_isNotRefused() throws Exception {
    Batchifier own =
        changed(
            x ->
                x.mul(
                    x.getManager()
                        .randomUniform(0, 1, x.getShape())
                        .gt(0.5f)
                        .toType(x.getDataType(), false)));
    assertThat(batches(new Jittering(own, Batchifier.STACK), engine -> engine)).isNotEmpty();
  }

  // ---------------------------------------------------------------- pipelines

  @Test
  void batches_batchMeanInAnArrayDataSetsPipeline_isRefused() {
    assertThatThrownBy(() -> batches(arrays(LoadingTest::centred, y -> y), engine -> engine))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("the pipeline's data");
  }

  @Test
  void batches_batchMeanInATargetPipeline_isRefused() {
    assertThatThrownBy(() -> batches(arrays(x -> x, LoadingTest::centred), engine -> engine))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("the target pipeline's labels");
  }

  @Test
  void batches_randomAndRowWisePipelines_areNotRefused() throws Exception {
    ArrayDataset arrays =
        arrays(
            x -> x.sub(x.mean(new int[] {1}, true)).div(x.norm(new int[] {1}, true)),
            y -> y.add(y.getManager().randomNormal(y.getShape())));
    assertThat(batches(arrays, engine -> engine)).isNotEmpty();
  }

  // ---------------------------------------------------------------- own loading

  @Test
  void batches_ownLoadingThatChangesLabelsWhileDataAreRandom_isRefused() {
    Jittering own =
        new Jittering(Batchifier.STACK, Batchifier.STACK) {
          @Override
          public Iterable<Batch> getData(
              NDManager parent, Sampler sampler, ExecutorService executor)
              throws IOException, TranslateException {
            Iterable<Batch> batches = super.getData(parent, sampler, executor);
            return () -> {
              Batch batch = batches.iterator().next();
              batch.getLabels().head().muli(batch.getSize() % 2 == 0 ? 1 : -1);
              return List.of(batch).iterator();
            };
          }
        };
    assertThatThrownBy(() -> batches(own, engine -> engine))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContainingAll("its own record alone", "other values");
  }

  @Test
  void batches_ownLoadingThatCutsOneRowOfManyByTheBatch_isRefused() {
    Jittering own =
        new Jittering(Batchifier.STACK, Batchifier.STACK) {
          @Override
          float noise() {
            return 0;
          }

          @Override
          public Iterable<Batch> getData(
              NDManager parent, Sampler sampler, ExecutorService executor)
              throws IOException, TranslateException {
            Iterable<Batch> batches = super.getData(parent, sampler, executor);
            return () -> {
              Batch batch = batches.iterator().next();
              NDArray x = batch.getData().head();
              if (batch.getSize() > 2) {
                float second = x.flatten().sort().getFloat(x.size() - 2);
                NDArray cut = x.minimum(second);
                x.muli(0).addi(cut);
              }
              return List.of(batch).iterator();
            };
          }
        };
    assertThatThrownBy(() -> batches(own, engine -> engine))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("other values");
  }

  // ---------------------------------------------------------------- parts of a data set

  @Test
  void batches_partOfARandomSplit_holdsTheRecordsOfThatPart() throws Exception {
    RandomAccessDataset[] parts = arrays(x -> x, y -> y).randomSplit(2, 1);
    requireOwnRecords(parts[0]);
    requireOwnRecords(parts[1].randomSplit(1, 1)[0]);
  }

  @Test
  void batches_chosenIndices_holdTheirRecords() throws Exception {
    requireOwnRecords(arrays(x -> x, y -> y).subDataset(List.of(50L, 3L, 7L, 8L, 9L, 41L)));
    requireOwnRecords(arrays(x -> x, y -> y).subDataset(20, 31));
  }

  private void requireOwnRecords(RandomAccessDataset part) throws Exception {
    List<Float> expected = new ArrayList<>();
    for (int i = 0; i < part.size(); i++) {
      expected.add(part.get(manager, i).getData().head().getFloat(1));
    }
    for (boolean check : new boolean[] {true, false}) {
      List<Float> got = new ArrayList<>();
      for (float[] batch : batches(part, engine -> engine.optSelfCheck(check))) {
        for (int i = 1; i < batch.length; i += 3) {
          got.add(batch[i]);
        }
      }
      // At a sample rate of 1 every record is in the batch, once, and consecutive indices are a
      // range.
      assertThat(got).containsExactlyInAnyOrderElementsOf(expected);
    }
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

  private static NDArray centred(NDArray x) {
    return x.sub(x.mean(new int[] {0}, true));
  }

  private static Batchifier changed(UnaryOperator<NDArray> change) {
    return new StackBatchifier() {
      private static final long serialVersionUID = 1;

      @Override
      public NDList batchify(NDList[] inputs) {
        return new NDList(change.apply(super.batchify(inputs).head()));
      }
    };
  }

  private ArrayDataset arrays(UnaryOperator<NDArray> data, UnaryOperator<NDArray> labels) {
    return new ArrayDataset.Builder()
        .setData(manager.arange(3f * SAMPLES).reshape(SAMPLES, 3).add(1))
        .optLabels(manager.arange((float) SAMPLES).reshape(SAMPLES, 1))
        .addTransform(transform(data))
        .addTargetTransform(transform(labels))
        .setSampling(4, false)
        .build();
  }

  private static Transform transform(UnaryOperator<NDArray> change) {
    return change::apply;
  }

  /** Records with noise of their own each time that they are loaded. */
  private class Jittering extends RandomAccessDataset {
    Jittering(Batchifier data, Batchifier labels) {
      super(new Building(data, labels));
    }

    @Override
    public Record get(NDManager parent, long index) {
      float noise = noise();
      return new Record(
          new NDList(parent.create(new float[] {index + noise, 2 * noise, index == 7 ? 100 : 3})),
          new NDList(parent.create(new float[] {1 + index})));
    }

    float noise() {
      return 1e-3f * random.nextFloat();
    }

    @Override
    protected long availableSize() {
      return SAMPLES + 1L;
    }

    @Override
    public void prepare(Progress progress) {}
  }

  private static final class Building extends RandomAccessDataset.BaseBuilder<Building> {
    Building(Batchifier data, Batchifier labels) {
      setSampling(2, false).optDataBatchifier(data).optLabelBatchifier(labels);
    }

    @Override
    protected Building self() {
      return this;
    }
  }
}
