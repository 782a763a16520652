/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.training.dataset.Record;
import ai.djl.training.initializer.ConstantInitializer;
import ai.djl.translate.Batchifier;
import ai.djl.translate.PaddingStackBatchifier;
import ai.djl.translate.SimplePaddingStackBatchifier;
import ai.djl.translate.StackBatchifier;
import ai.djl.util.Progress;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.sampling.PrivateBatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A sample's arrays come from its record alone, whatever else is in its batch. */
@Tag("slow")
final class PaddingTest {
  private static final int PAD = 7;

  private NDManager manager;

  @BeforeEach
  void open() {
    manager = NDManager.newBaseManager("PyTorch");
  }

  @AfterEach
  void close() {
    manager.close();
  }

  static List<Batchifier> toTheLongest() {
    return List.of(new SimplePaddingStackBatchifier(PAD), padding(-1));
  }

  private static PaddingStackBatchifier padding(int least) {
    return PaddingStackBatchifier.builder()
        .optIncludeValidLengths(true)
        .addPad(0, 0, m -> m.create(new float[] {PAD}), least)
        .build();
  }

  // ---------------------------------------------------------------- refused

  @ParameterizedTest
  @MethodSource("toTheLongest")
  void batches_paddedToTheLongest_isRefusedAndNamesTheRemedy(Batchifier batchifier)
      throws Exception {
    Texts texts = texts(batchifier, 4, 4, 9);
    try (Model model = OneStep.model(means());
        PrivateTrainer trainer = engine(3).build().attach(model, new CapturingOptimizer())) {
      assertThatThrownBy(() -> trainer.batches(texts))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContainingAll("fixed, public length", "optPadTo(length)");
    }
  }

  @Test
  void batches_batchifierOfAUserThatPadsToTheLongest_isRefused() {
    Batchifier own = new Wrapped(new SimplePaddingStackBatchifier(PAD));
    assertThatThrownBy(() -> step(texts(own, 4, 4, 4, 4, 4, 4, 9), engine(7)))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContainingAll("its own record alone", "another shape", "optPadTo");
  }

  @Test
  void batches_batchifierThatStandardises_isRefused() {
    Batchifier own =
        new Wrapped(Batchifier.STACK) {
          @Override
          public NDList batchify(NDList[] inputs) {
            NDArray batch = super.batchify(inputs).head();
            return new NDList(batch.sub(batch.mean(new int[] {0}, true)));
          }
        };
    assertThatThrownBy(() -> step(texts(own, 4, 4, 4, 4), engine(4)))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContainingAll("its own record alone", "other values");
  }

  @Test
  void batches_ownLoaderWithDeclaredLength_isRefused() {
    Texts own =
        new Texts(new Texts.Building(padding(-1)), new int[] {4, 4}) {
          @Override
          public Iterable<ai.djl.training.dataset.Batch> getData(
              NDManager parent, ai.djl.training.dataset.Sampler sampler, ExecutorService executor)
              throws java.io.IOException, ai.djl.translate.TranslateException {
            return super.getData(parent, sampler, executor);
          }
        };
    assertThatThrownBy(() -> step(own, engine(2).optPadTo(6)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("overrides it");
  }

  // ---------------------------------------------------------------- padded to a declared length

  @ParameterizedTest
  @MethodSource("toTheLongest")
  void step_declaredLength_aLongRecordMovesTheSumByItsOwnShareAlone(Batchifier batchifier)
      throws Exception {
    double[] without = step(texts(batchifier, 4, 4, 4, 3, 5, 2), engine(6).optPadTo(6));
    double[] with = step(texts(batchifier, 4, 4, 4, 3, 5, 2, 60), engine(7).optPadTo(6));
    double[] difference = new double[with.length];
    Arrays.setAll(difference, j -> with[j] - without[j]);
    assertThat(BatchOfOneOracle.norm(difference)).isBetween(0.1, 1 + 1e-5);
  }

  @Test
  void step_declaredLength_keepsPadValuesAndValidLengths() throws Exception {
    for (ExecutorService executor :
        new ExecutorService[] {null, Executors.newSingleThreadExecutor()}) {
      PrivacyEngineBuilder engine = engine(4).optPadTo(6);
      if (executor != null) {
        engine.optExecutorService(executor);
      }
      try (Model model = OneStep.model(means());
          PrivateTrainer trainer = engine.build().attach(model, new CapturingOptimizer())) {
        PrivateBatch batch = trainer.batches(texts(padding(-1), 4, 2, 60, 6)).iterator().next();
        NDArray padded = batch.getData().get(0);
        assertThat(padded.getShape()).isEqualTo(new Shape(4, 6));
        assertThat(batch.getData().get(1).toLongArray()).containsExactly(4, 2, 6, 6);
        assertThat(padded.get(1).toFloatArray()).containsExactly(10, 11, PAD, PAD, PAD, PAD);
        assertThat(padded.get(2).toFloatArray()).containsExactly(20, 21, 22, 23, 24, 25);
        batch.close();
      }
      if (executor != null) {
        executor.shutdown();
      }
    }
  }

  @Test
  void step_batchifierWithAFixedLength_trainsWithoutADeclaredOne() throws Exception {
    assertThat(step(texts(padding(8), 4, 2, 8), engine(3))).isNotEmpty();
  }

  @Test
  void step_pipelineWithRareAugmentation_isNotRefused() throws Exception {
    Random random = new Random(1);
    for (int run = 0; run < 30; run++) {
      Texts flipping =
          new Texts(new Texts.Building(Batchifier.STACK), new int[] {4, 4, 4, 4, 4, 4}) {
            @Override
            public Record get(NDManager parent, long index) {
              Record record = super.get(parent, index);
              return random.nextInt(4) > 0
                  ? record
                  : new Record(new NDList(record.getData().head().flip(0)), record.getLabels());
            }
          };
      assertThat(step(flipping, engine(6))).isNotEmpty();
    }
  }

  // ---------------------------------------------------------------- plumbing

  /** Positions are averaged: padding shows. */
  private static Wiring means() {
    return new Wiring((call, x) -> call.run("a", x.expandDims(2)).mean(new int[] {1}))
        .part("a", Recipe.plainLinear(2), 4, 1);
  }

  private PrivacyEngineBuilder engine(long samples) {
    return OneStep.engine(
        OneStep.everySample(samples, 1).optClipping(ClippingFunction.abadi()).build(),
        (labels, outputs) -> outputs.head().sub(1).square().sum(new int[] {1}));
  }

  private double[] step(RandomAccessDataset texts, PrivacyEngineBuilder engine) throws Exception {
    Block block =
        new Wiring((call, x) -> call.run("a", x.div(100).expandDims(2)).mean(new int[] {1}))
            .part("a", Recipe.plainLinear(2), 4, 1);
    try (Model model = OneStep.model(block)) {
      block.setInitializer(new ConstantInitializer(0.5f), Parameter.Type.WEIGHT);
      block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 4));
      IdentityHashMap<Parameter, double[]> sums =
          OneStep.firstStep(model, texts, texts.size(), engine);
      return new ArrayList<>(sums.values()).get(0);
    }
  }

  private static Texts texts(Batchifier batchifier, int... lengths) {
    return new Texts(new Texts.Building(batchifier), lengths);
  }

  /** Delegates, and is none of DJL's own. */
  private static class Wrapped implements Batchifier {
    private static final long serialVersionUID = 1;
    private final transient Batchifier own;

    Wrapped(Batchifier own) {
      this.own = own;
    }

    @Override
    public NDList batchify(NDList[] inputs) {
      return own.batchify(inputs);
    }

    @Override
    public NDList[] unbatchify(NDList inputs) {
      return own.unbatchify(inputs);
    }
  }

  /** Sequences of different lengths, as DJL's text data sets give them: 10 i, 10 i + 1, ... */
  private static class Texts extends RandomAccessDataset {
    private final int[] lengths;

    Texts(Building building, int[] lengths) {
      super(building.setSampling(2, false));
      this.lengths = lengths.clone();
    }

    @Override
    public Record get(NDManager parent, long index) {
      float[] values = new float[lengths[(int) index]];
      for (int t = 0; t < values.length; t++) {
        values[t] = 10 * index + t;
      }
      return new Record(
          new NDList(parent.create(values)), new NDList(parent.create((float) index)));
    }

    @Override
    protected long availableSize() {
      return lengths.length;
    }

    @Override
    public void prepare(Progress progress) {}

    static final class Building extends RandomAccessDataset.BaseBuilder<Building> {
      Building(Batchifier data) {
        optDataBatchifier(data).optLabelBatchifier(new StackBatchifier());
      }

      @Override
      protected Building self() {
        return this;
      }
    }
  }
}
