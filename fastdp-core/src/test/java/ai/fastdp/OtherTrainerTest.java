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
import ai.djl.nn.LambdaBlock;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.nn.recurrent.LSTM;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.ParameterStore;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import ai.djl.training.initializer.NormalInitializer;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import ai.djl.translate.Batchifier;
import ai.fastdp.nn.AddedParameter;
import ai.fastdp.nn.TiedLinear;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** While an engine is attached to a model, no other trainer trains it. */
final class OtherTrainerTest {
  private static final int SAMPLES = 4;

  private final NDManager manager = NDManager.newBaseManager("PyTorch");

  @AfterEach
  void close() {
    manager.close();
  }

  private static Stream<Arguments> onlyTrainableLayers() {
    return Stream.of(
        Arguments.of("linear", Recipe.linear(3), true, "01Linear", "-"),
        Arguments.of("convolution", Recipe.conv1d(3, 2, 1, 0, 1, 1, true), true, "01Conv1d", "-"),
        Arguments.of("norm", LayerNorm.builder().build(), true, "01LayerNorm", "-"),
        Arguments.of("word embedding", Recipe.wordEmbedding(5, 3), false, "01", "-"),
        Arguments.of("id embedding", Recipe.idEmbedding(5, 3), false, "01IdEmbedding", "-"),
        Arguments.of(
            "recurrent",
            LSTM.builder().setNumLayers(1).setStateSize(3).optReturnState(false).build(),
            true,
            "01LSTM",
            "-"),
        Arguments.of("final class", new FinalLinear(), true, "01FinalLinear", "01FinalLinear"));
  }

  private static SequentialBlock sequence(Block layer) {
    return new SequentialBlock().add(layer).add(new LambdaBlock(x -> x, "same"));
  }

  private Model model(Block block, Shape shape) {
    block.setInitializer(new NormalInitializer(0.5f), Parameter.Type.WEIGHT);
    Model model = OneStep.model(block);
    block.initialize(manager, DataType.FLOAT32, shape);
    return model;
  }

  private static PrivateTrainer attach(Model model, String... sampleBySample) {
    PrivacyEngineBuilder engine =
        OneStep.engine(OneStep.everySample(SAMPLES, 1).build(), new SquaredError());
    if (!sampleBySample[0].equals("-")) {
      engine.optSampleBySample(sampleBySample);
    }
    return engine.build().attach(model, new CapturingOptimizer());
  }

  private NDList input(boolean floats) {
    return new NDList(
        floats
            ? OneStep.normal(manager, 1, 1, SAMPLES, 4, 5)
            : OneStep.ids(manager, 1, 5, SAMPLES, 4));
  }

  private static DefaultTrainingConfig config() {
    return new DefaultTrainingConfig(Loss.l2Loss())
        .optDevices(new ai.djl.Device[] {ai.djl.Device.cpu()})
        .optOptimizer(Optimizer.sgd().setLearningRateTracker(Tracker.fixed(0.1f)).build());
  }

  private void trainOnce(Model model, NDList data) {
    try (Trainer trainer = model.newTrainer(config())) {
      NDArray outputs = trainer.evaluate(data).head();
      NDList labels = new NDList(manager.ones(outputs.getShape()));
      Batch batch =
          new Batch(
              manager.newSubManager(),
              data,
              labels,
              SAMPLES,
              Batchifier.STACK,
              Batchifier.STACK,
              0,
              1);
      EasyTrain.trainBatch(trainer, batch);
      trainer.step();
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("onlyTrainableLayers")
  void trainBatch_ordinaryTrainerWhileAttached_isRefusedAndAfterwardsFree(
      String kind, Block layer, boolean floats, String path, String sampleBySample) {
    Model model = model(sequence(layer), floats ? new Shape(1, 4, 5) : new Shape(1, 4));
    NDList data = input(floats);
    float[] before = weights(model);
    try (PrivateTrainer trainer = attach(model, sampleBySample)) {
      assertThatThrownBy(() -> trainOnce(model, data))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContainingAll("layer '" + path, "private trainer", "detach()");
      assertThat(weights(model)).containsExactly(before);
      trainer.detach();
    }
    trainOnce(model, data);
    assertThat(weights(model)).isNotEqualTo(before);
  }

  @Test
  void trainBatch_ordinaryTrainerOfATorchScriptModel_isRefused() {
    Model model = model(sequence(ScriptedModule.dense(5, 3).load(manager, 1)), new Shape(1, 5));
    try (PrivateTrainer trainer = attach(model, "01PtSymbolBlock")) {
      assertThat(trainer.stepsTaken()).isZero();
      assertThatThrownBy(
              () -> trainOnce(model, new NDList(OneStep.normal(manager, 1, 1, SAMPLES, 5))))
          .hasMessageContainingAll("layer '01PtSymbolBlock'", "private trainer");
    }
  }

  @Test
  void trainBatch_onlyAddedParameterTrains_isRefused() {
    Block added = AddedParameter.builder().setShape(new Shape(4, 5)).build();
    Model model = model(sequence(added), new Shape(1, 4, 5));
    try (PrivateTrainer trainer = attach(model, "-")) {
      assertThat(trainer.stepsTaken()).isZero();
      assertThatThrownBy(() -> trainOnce(model, input(true))).hasMessageContaining("01AddedParam");
    }
  }

  @Test
  void trainBatch_tiedHead_isRefused() {
    Block table = Recipe.idEmbedding(5, 3);
    Model model =
        model(new SequentialBlock().add(table).add(new TiedLinear(table)), new Shape(1, 4));
    try (PrivateTrainer trainer = attach(model, "-")) {
      assertThat(trainer.stepsTaken()).isZero();
      assertThatThrownBy(() -> trainOnce(model, input(false))).hasMessageContaining("layer '");
    }
  }

  @Test
  void forward_inferenceWhileAttachedWithAGraph_isFree() {
    Model model = model(sequence(Recipe.idEmbedding(5, 3)), new Shape(1, 4));
    try (PrivateTrainer trainer = attach(model, "-");
        Trainer other = model.newTrainer(config())) {
      assertThat(trainer.stepsTaken()).isZero();
      assertThatCode(
              () -> {
                try (var collector = other.newGradientCollector()) {
                  assertThat(collector).isNotNull();
                  other.evaluate(input(false));
                }
              })
          .doesNotThrowAnyException();
    }
  }

  @Test
  void forward_inferenceOnAnotherThreadDuringAPass_isFreeAndTrainingThereIsRefused()
      throws Exception {
    AtomicReference<@Nullable Throwable> inference = new AtomicReference<>();
    AtomicReference<@Nullable Throwable> training = new AtomicReference<>();
    Block layer = Recipe.linear(3);
    Model[] holder = new Model[1];
    Wiring wiring =
        new Wiring(
                (call, x) -> {
                  if (Thread.currentThread().getName().equals("other")) {
                    return call.run("a", x);
                  }
                  NDArray h = call.run("a", x);
                  inference.set(onAnotherThread(holder[0], false));
                  training.set(onAnotherThread(holder[0], true));
                  return h;
                })
            .part("a", layer, 5);
    Model model = model(wiring, new Shape(1, 5));
    holder[0] = model;
    NDList data = new NDList(OneStep.normal(manager, 1, 1, SAMPLES, 5));
    NDList labels = new NDList(OneStep.normal(manager, 2, 1, SAMPLES, 3));
    OneStep.firstStep(
        model,
        data,
        labels,
        OneStep.engine(OneStep.everySample(SAMPLES, 1).build(), new SquaredError()));
    assertThat(inference.get()).isNull();
    assertThat(training.get()).hasMessageContainingAll("layer '01a'", "private trainer");
  }

  private @Nullable Throwable onAnotherThread(Model model, boolean training) {
    AtomicReference<@Nullable Throwable> thrown = new AtomicReference<>();
    Thread thread =
        new Thread(
            () -> {
              try (NDManager own = NDManager.newBaseManager("PyTorch")) {
                model
                    .getBlock()
                    .forward(
                        new ParameterStore(own, false),
                        new NDList(OneStep.normal(own, 3, 1, 2, 5)),
                        training);
              } catch (RuntimeException e) {
                thrown.set(e);
              }
            },
            "other");
    thread.start();
    try {
      thread.join();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
    return thrown.get();
  }

  private static float[] weights(Model model) {
    return model.getBlock().getParameters().valueAt(0).getArray().toFloatArray();
  }

  private static final class FinalLinear extends Linear {
    FinalLinear() {
      super(builder().setUnits(3));
    }
  }
}
