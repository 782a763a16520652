/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.recurrent.LSTM;
import ai.fastdp.nn.TiedLinear;
import ai.fastdp.sampling.PrivateBatch;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Inputs that a layer cannot take: one line that names the layer, before the first update. */
@Tag("slow")
final class LayerInputTest {
  private static final int SAMPLES = 4;
  private static final int TIME = 3;
  private static final int ROWS = 5;

  private final NDManager manager = NDManager.newBaseManager("PyTorch");

  @AfterEach
  void close() {
    manager.close();
  }

  private static PrivacyEngineBuilder engine() {
    return OneStep.engine(OneStep.everySample(SAMPLES, 1).build(), new SquaredError());
  }

  private Model model(Block block) {
    block.initialize(manager, DataType.FLOAT32, new Shape(1));
    return OneStep.model(block);
  }

  private void train(Block block, NDArray input, PrivacyEngineBuilder engine, int... outputs) {
    long[] shape = new long[outputs.length + 1];
    shape[0] = SAMPLES;
    for (int i = 0; i < outputs.length; i++) {
      shape[i + 1] = outputs[i];
    }
    NDArray labels = manager.zeros(new Shape(shape));
    try (Model model = model(block)) {
      OneStep.firstStep(model, new NDList(input), new NDList(labels), engine);
    }
  }

  // ---------------------------------------------------------------- ids

  private static Block words() {
    return new Wiring((call, x) -> call.run("words", x))
        .part("words", Recipe.wordEmbedding(ROWS, 3), TIME);
  }

  private static Block ids() {
    return new Wiring((call, x) -> call.run("ids", x))
        .part("ids", Recipe.idEmbedding(ROWS, 3), TIME);
  }

  private static Block tied() {
    Block table = Recipe.idEmbedding(ROWS, 3);
    return new Wiring((call, x) -> call.run("head", call.run("ids", x)))
        .part("ids", table, TIME)
        .part("head", new TiedLinear(table), TIME, 3);
  }

  private static Stream<Arguments> embeddings() {
    return Stream.of(
        Arguments.of("layer '01words' (TrainableWordEmbedding)", words(), 3),
        Arguments.of("layer '01ids' (IdEmbedding)", ids(), 3),
        Arguments.of("layer '01ids' (IdEmbedding)", tied(), ROWS));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("embeddings")
  void forward_idWithoutARow_namesTheLayerAndTheRangeAndNotTheId(
      String layer, Block block, int width) {
    for (boolean selfCheck : new boolean[] {true, false}) {
      for (long id : new long[] {-1, ROWS, 77_777, -77_777}) {
        long[] values = new long[SAMPLES * TIME];
        values[SAMPLES * TIME - 1] = id;
        NDArray input = manager.create(values, new Shape(SAMPLES, TIME));
        assertThatThrownBy(() -> train(block, input, engine().optSelfCheck(selfCheck), TIME, width))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageStartingWith(
                "ids of " + layer + " must be in [0, 5), got another number; correct");
      }
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("embeddings")
  void forward_firstAndLastRow_areTrained(String layer, Block block, int width) {
    for (DataType type : new DataType[] {DataType.INT32, DataType.INT64}) {
      NDArray input =
          manager
              .create(new long[] {0, 4, 1, 4, 4, 4, 0, 0, 0, 1, 2, 3}, new Shape(SAMPLES, TIME))
              .toType(type, true);
      assertThatCode(() -> train(block, input, engine(), TIME, width)).doesNotThrowAnyException();
    }
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource(
      value = DataType.class,
      names = {"FLOAT32", "UINT8", "BOOLEAN", "FLOAT64"})
  void forward_idsOfAnotherType_areExplained(DataType type) {
    NDArray input = manager.zeros(new Shape(SAMPLES, TIME)).toType(type, true);
    assertThatThrownBy(() -> train(words(), input, engine(), TIME, 3))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll(
            "ids of layer '01words' (TrainableWordEmbedding) must be int32 or int64, got " + type,
            "pipeline");
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource(
      value = DataType.class,
      names = {"UINT8", "BOOLEAN"})
  void forward_masksAsIds_areExplained(DataType type) {
    NDArray input = manager.zeros(new Shape(SAMPLES, TIME)).toType(type, true);
    assertThatThrownBy(() -> train(ids(), input, engine(), TIME, 3))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll(
            "ids of layer '01ids' (IdEmbedding) must be int32 or int64, got " + type);
  }

  // ---------------------------------------------------------------- features

  private static Stream<Arguments> layers() {
    return Stream.of(
        Arguments.of("Linear", Recipe.linear(2)),
        Arguments.of("Conv1d", Recipe.conv1d(2, 1, 1, 0, 1, 1, true)),
        Arguments.of(
            "LSTM", LSTM.builder().setNumLayers(1).setStateSize(2).optReturnState(false).build()));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("layers")
  void forward_featuresOfAnotherType_areExplained(String name, Block layer) {
    Block block = new Wiring((call, x) -> call.run("a", x)).part("a", layer, TIME, 5);
    for (DataType type : new DataType[] {DataType.FLOAT64, DataType.FLOAT16, DataType.INT32}) {
      NDArray input = OneStep.normal(manager, 1, 1, SAMPLES, TIME, 5).toType(type, true);
      assertThatThrownBy(() -> train(block, input, engine(), TIME, 2))
          .as("%s", type)
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage(
              "input of layer '01a' ("
                  + name
                  + ") must be of its parameters' type, float32, got "
                  + type
                  + "; convert it in the data set's pipeline");
    }
  }

  @Test
  void forward_addedParameterOfAnotherType_isPromotedAndTrains() {
    Block block =
        new Wiring((call, x) -> call.run("a", x))
            .part("a", ai.fastdp.nn.AddedParameter.builder().setShape(new Shape(5)).build(), 5);
    NDArray input = OneStep.normal(manager, 1, 1, SAMPLES, 5).toType(DataType.FLOAT64, true);
    assertThatCode(() -> train(block, input, engine(), 5)).doesNotThrowAnyException();
  }

  // ---------------------------------------------------------------- the axis of the samples

  @ParameterizedTest(name = "self-check {0}")
  @ValueSource(booleans = {true, false})
  void forward_squeezeThatDropsTheSampleAxis_isNamedAtTheLayer(boolean selfCheck) {
    Block block =
        new Wiring((call, x) -> call.run("b", call.run("a", x).expandDims(1).squeeze()))
            .part("a", Recipe.linear(4), 5)
            .part("b", Recipe.linear(2), 4);
    PrivacyEngineBuilder engine =
        engine()
            .optSelfCheck(selfCheck)
            .optPerformance(PerformanceOptions.defaults().withPhysicalBatchSize(1));
    NDArray input = OneStep.normal(manager, 1, 1, SAMPLES, 5);
    assertThatThrownBy(() -> train(block, input, engine, 2))
        .hasMessageContainingAll(
            "layer '02b' (Linear) must have the samples (B) on its first axis", "squeeze()");
  }

  @Test
  void trainBatch_closedBatch_saysSo() throws Exception {
    Block block = new Wiring((call, x) -> call.run("a", x)).part("a", Recipe.linear(2), 5);
    NDList data = new NDList(OneStep.normal(manager, 1, 1, SAMPLES, 5));
    NDList labels = new NDList(OneStep.normal(manager, 2, 1, SAMPLES, 2));
    try (Model model = model(block);
        PrivateTrainer trainer = engine().build().attach(model, new CapturingOptimizer())) {
      PrivateBatch batch = trainer.batches(OneStep.dataset(data, labels)).iterator().next();
      batch.close();
      assertThatThrownBy(() -> trainer.trainBatch(batch))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("batch must be open while it is trained, got a closed batch");
      assertThat(trainer.stepsTaken()).isZero();
    }
  }
}
