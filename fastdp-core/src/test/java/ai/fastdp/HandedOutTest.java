/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.EasyTrain;
import ai.djl.training.GradientCollector;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Batch;
import ai.fastdp.mechanism.PredictableNoise;
import ai.fastdp.sampling.PrivateBatch;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.Objects;
import java.util.Random;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a training loop has in its hands reaches model, loss and sum as it was drawn. */
@Tag("slow")
final class HandedOutTest {
  private static final int SAMPLES = 6;

  private final Model model = model(new Wiring((call, x) -> call.run("a", x)));
  private final CapturingOptimizer optimizer = new CapturingOptimizer();

  private static Model model(Wiring block) {
    Model model = OneStep.model(block.part("a", Recipe.linear(3), 5));
    block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 5));
    return model;
  }

  @AfterEach
  void close() {
    model.close();
  }

  private static PrivacyEngineBuilder engine() {
    return OneStep.engine(
            OneStep.everySample(SAMPLES, 100, 1).setClipNorm(1).build(), new SquaredError())
        .optSelfCheck(false);
  }

  private static ArrayDataset dataset(Model of) {
    return OneStep.dataset(
        new NDList(OneStep.normal(of.getNDManager(), 1, 1, SAMPLES, 5)),
        new NDList(OneStep.normal(of.getNDManager(), 2, 1, SAMPLES, 3)));
  }

  private float[] weightGradient() {
    return gradient(model, optimizer);
  }

  private static float[] gradient(Model of, CapturingOptimizer from) {
    Parameter weight = of.getBlock().getParameters().values().get(0);
    return Objects.requireNonNull(from.gradients.get(weight)).clone();
  }

  private float[] cleanStep(PrivateTrainer trainer) throws Exception {
    PrivateBatch batch = trainer.batches(dataset(model)).iterator().next();
    EasyTrain.trainBatch(trainer, batch);
    trainer.step();
    batch.close();
    return weightGradient();
  }

  /** What is done to a batch before it goes through the model. */
  @SuppressWarnings("ImmutableEnumChecker") // Nobody writes to it.
  private enum BeforeForward {
    SET_IN_LIST(list -> list.set(0, list.head().mul(2))),
    ADD_TO_LIST(list -> list.add(list.head())),
    REPLACE_ALL(list -> list.replaceAll(array -> array.mul(2))),
    SORT(list -> list.sort(Comparator.comparingInt(System::identityHashCode))),
    CLEAR(NDList::clear),
    SET_BY_ITERATOR(
        list -> {
          var each = list.listIterator();
          each.next();
          each.set(list.head().mul(2));
        }),
    SET_IN_SUBLIST(list -> list.subList(0, 1).set(0, list.head().mul(2))),
    SWAP(list -> Collections.fill(list, list.head().mul(2))),
    SCALE(list -> list.head().muli(2)),
    SCALE_A_VIEW(list -> list.head().reshape(-1).muli(2)),
    MIXUP(list -> list.head().muli(0.5f).addi(list.head().get("1:2").mul(0.5f))),
    SET_ELEMENT(list -> list.head().set(new NDIndex("0"), 5)),
    SET_BUFFER(list -> list.head().set(FloatBuffer.allocate(Math.toIntExact(list.head().size())))),
    EXCHANGE_MEMORY(list -> list.head().intern(list.head().mul(2)));

    private final Consumer<NDList> attack;

    BeforeForward(Consumer<NDList> attack) {
      this.attack = attack;
    }
  }

  @ParameterizedTest
  @EnumSource(BeforeForward.class)
  void forward_dataChangedInTheLoop_isRefused(BeforeForward attack) throws Exception {
    assertRefusedOrWithoutEffect(batch -> attack.attack.accept(batch.getData()));
  }

  @ParameterizedTest
  @EnumSource(BeforeForward.class)
  void forward_labelsChangedInTheLoop_isRefused(BeforeForward attack) throws Exception {
    assertRefusedOrWithoutEffect(batch -> attack.attack.accept(batch.getLabels()));
  }

  private void assertRefusedOrWithoutEffect(Consumer<PrivateBatch> attack) throws Exception {
    try (PrivateTrainer trainer = engine().build().attach(model, optimizer)) {
      float[] clean = cleanStep(trainer);
      PrivateBatch batch = trainer.batches(dataset(model)).iterator().next();
      try {
        attack.accept(batch);
        EasyTrain.trainBatch(trainer, batch);
        trainer.step();
        assertThat(weightGradient()).containsExactly(clean);
      } catch (UnsupportedOperationException | IllegalStateException e) {
        assertThat(e).hasMessageMatching("(?s).*(must stay as they are|must not be modified).*");
        assertThat(optimizer.updates).isEqualTo(1);
      }
      assertThat(cleanStep(trainer)).containsExactly(clean);
    }
  }

  /** Runs a pass by hand, with a change before the loss and one before the backward pass. */
  private static void pass(
      PrivateTrainer trainer,
      PrivateBatch batch,
      Consumer<NDList> beforeLoss,
      Consumer<NDList> beforeBackward) {
    try (GradientCollector collector = trainer.newGradientCollector()) {
      NDList predictions = trainer.forward(batch.getData(), batch.getLabels());
      beforeLoss.accept(predictions);
      NDArray loss = trainer.getLoss().evaluate(batch.getLabels(), predictions);
      beforeBackward.accept(predictions);
      collector.backward(loss);
    }
  }

  @ParameterizedTest(name = "after the loss: {0}")
  @ValueSource(booleans = {false, true})
  void evaluate_predictionsChanged_isRefused(boolean afterLoss) throws Exception {
    assertPassRefused(
        afterLoss, list -> list.set(0, list.head().sub(list.head().mean())), "must stay as they");
    assertPassRefused(
        afterLoss, list -> list.head().muli(2), "predictions must not be modified in place");
    assertPassRefused(
        afterLoss,
        list -> list.head().reshape(-1).get("0:3").muli(2),
        "predictions must not be modified in place");
  }

  private void assertPassRefused(boolean afterLoss, Consumer<NDList> attack, String message)
      throws Exception {
    try (PrivateTrainer trainer = engine().build().attach(model, new CapturingOptimizer())) {
      PrivateBatch batch = trainer.batches(dataset(model)).iterator().next();
      assertThatThrownBy(
              () ->
                  pass(
                      trainer,
                      batch,
                      afterLoss ? list -> {} : attack,
                      afterLoss ? attack : list -> {}))
          .hasMessageContaining(message);
      assertThatThrownBy(trainer::step).isInstanceOf(IllegalStateException.class);
      assertThat(trainer.stepsTaken()).isZero();
    }
  }

  @Test
  void evaluate_otherLabels_isRefused() throws Exception {
    try (PrivateTrainer trainer = engine().build().attach(model, optimizer);
        GradientCollector collector = trainer.newGradientCollector()) {
      PrivateBatch batch = trainer.batches(dataset(model)).iterator().next();
      NDList predictions = trainer.forward(batch.getData(), batch.getLabels());
      NDArray labels = batch.getLabels().head();
      for (NDArray others :
          new NDArray[] {labels.sub(labels.mean(new int[] {0})), labels.duplicate()}) {
        assertThatThrownBy(() -> trainer.getLoss().evaluate(new NDList(others), predictions))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("labels must be those of the batch");
      }
      // Another list of the very arrays is the same.
      NDArray loss = trainer.getLoss().evaluate(new NDList(labels), predictions);
      collector.backward(loss);
    }
  }

  @ParameterizedTest(name = "after the loss: {0}")
  @ValueSource(booleans = {false, true})
  void evaluate_labelsChangedInPlace_isRefused(boolean afterLoss) throws Exception {
    try (PrivateTrainer trainer = engine().build().attach(model, optimizer)) {
      PrivateBatch batch = trainer.batches(dataset(model)).iterator().next();
      Consumer<NDList> attack = ignored -> batch.getLabels().head().muli(0);
      assertThatThrownBy(
              () ->
                  pass(
                      trainer,
                      batch,
                      afterLoss ? list -> {} : attack,
                      afterLoss ? attack : list -> {}))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("labels must not be modified in place");
    }
  }

  @Test
  void backward_meanLossScaledInPlace_hasNoEffect() throws Exception {
    try (PrivateTrainer trainer = engine().build().attach(model, optimizer)) {
      float[] clean = cleanStep(trainer);
      PrivateBatch batch = trainer.batches(dataset(model)).iterator().next();
      try (GradientCollector collector = trainer.newGradientCollector()) {
        NDList predictions = trainer.forward(batch.getData(), batch.getLabels());
        NDArray loss = trainer.getLoss().evaluate(batch.getLabels(), predictions);
        loss.muli(100);
        collector.backward(loss);
      }
      trainer.step();
      assertThat(weightGradient()).containsExactly(clean);
    }
  }

  @Test
  void trainBatch_closedBatch_saysSo() throws Exception {
    try (PrivateTrainer trainer = engine().build().attach(model, optimizer)) {
      PrivateBatch batch = trainer.batches(dataset(model)).iterator().next();
      batch.close();
      batch.close();
      assertThatThrownBy(() -> trainer.trainBatch(batch))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("must be open while it is trained, got a closed batch");
      assertThatThrownBy(() -> EasyTrain.trainBatch(trainer, batch))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("must be open while it is trained, got a closed batch");
    }
  }

  @ParameterizedTest(name = "{0} devices")
  @ValueSource(ints = {1, 2, 3})
  void trainBatch_modelWritesIntoItsInput_trainsTheSame(int devices) throws Exception {
    Device[] used = new Device[devices];
    Arrays.fill(used, Device.cpu());
    float[] expected = firstGradient(new Wiring((call, x) -> call.run("a", x.mul(2))), used);
    float[] inPlace = firstGradient(new Wiring((call, x) -> call.run("a", x.muli(2))), used);
    assertThat(inPlace).containsExactly(expected);
  }

  private static float[] firstGradient(Wiring block, Device... devices) throws Exception {
    CapturingOptimizer captured = new CapturingOptimizer();
    try (Model of = model(block)) {
      NDArray weight = of.getBlock().getParameters().values().get(0).getArray();
      weight.set(OneStep.normal(of.getNDManager(), 7, 1, 3, 5).toFloatArray());
      PrivacyEngine engine =
          engine().optDevices(devices).predictable(PredictableNoise.none(), new Random(1)).build();
      try (PrivateTrainer trainer = engine.attach(of, captured)) {
        PrivateBatch batch = trainer.batches(dataset(of)).iterator().next();
        EasyTrain.trainBatch(trainer, batch);
        trainer.step();
        return gradient(of, captured);
      }
    }
  }

  @Test
  void trainBatch_sameSamplesAsDataAndLabels_trains() throws Exception {
    try (PrivateTrainer trainer = engine().build().attach(model, optimizer)) {
      NDArray rows = OneStep.normal(model.getNDManager(), 1, 1, SAMPLES, 5);
      NDArray labels = rows.get(":, 0:3");
      for (int i = 0; i < 3; i++) {
        ArrayDataset data = OneStep.dataset(new NDList(rows), new NDList(labels, labels));
        Batch batch = trainer.batches(data).iterator().next();
        EasyTrain.trainBatch(trainer, batch);
        trainer.step();
        batch.close();
      }
      assertThat(trainer.stepsTaken()).isEqualTo(3);
    }
  }

  @Test
  void trainBatch_dataReadInTheLoop_trains() throws Exception {
    try (PrivateTrainer trainer = engine().build().attach(model, optimizer)) {
      float[] clean = cleanStep(trainer);
      PrivateBatch batch = trainer.batches(dataset(model)).iterator().next();
      pass(
          trainer,
          batch,
          predictions -> {
            predictions.head().duplicate().muli(3);
            predictions.head().argMax(1);
            batch.getData().head().reshape(-1).mean();
            predictions.head().toFloatArray();
          },
          predictions -> predictions.singletonOrThrow().sum());
      trainer.step();
      assertThat(weightGradient()).containsExactly(clean);
    }
  }
}
