/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.fastdp.loss.PerSampleLoss;
import ai.fastdp.mechanism.PredictableNoise;
import ai.fastdp.sampling.PrivateBatch;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** State in Java objects: what depends on data never reaches a later pass, and the rest stays. */
@Tag("slow")
final class PassStateTest {
  private static final int SAMPLES = 24;
  private static final int WIDTH = 6;

  private NDManager manager;
  private int physical = 64;
  private boolean checking = true;
  private PerSampleLoss loss = new SquaredError();
  private NDArray data;
  private NDArray labels;

  @BeforeEach
  void open() {
    manager = NDManager.newBaseManager("PyTorch");
    data = OneStep.normal(manager, 3, 1, SAMPLES, WIDTH);
    data.set(new NDIndex(SAMPLES - 1 + ""), data.get(SAMPLES - 1).mul(50));
    labels = OneStep.normal(manager, 4, 1, SAMPLES, 2);
  }

  @AfterEach
  void close() {
    manager.close();
  }

  /** Numbers that a block keeps. */
  private static final class Box {
    private float[] value = {};
    private int count;
  }

  private static Wiring block(Wiring.Body body) {
    return new Wiring(body).part("a", Recipe.linear(4), WIDTH).part("b", Recipe.linear(2), 4);
  }

  private static ai.djl.nn.Block zeros() {
    ai.djl.nn.Block zeros = Recipe.plainLinear(2);
    zeros.setInitializer(ai.djl.training.initializer.Initializer.ZEROS, Parameter.Type.WEIGHT);
    return zeros;
  }

  private static float[] numbers(NDArray array) {
    return array.stopGradient().toType(DataType.FLOAT32, true).toFloatArray();
  }

  private static NDArray constant(NDArray like, float[] values) {
    return like.getManager().create(values).toType(like.getDataType(), false);
  }

  @Test
  void forward_scaleFittedToTheFirstBatch_isRefused() {
    Box box = new Box();
    assertRefused(
        block(
            (call, x) -> {
              if (box.value.length == 0) {
                box.value = numbers(x.abs().max());
              }
              return call.run("b", call.run("a", x.div(constant(x, box.value))).tanh());
            }),
        1,
        "field 'value' of " + Box.class.getName());
  }

  @ParameterizedTest(name = "training only {0}")
  @ValueSource(booleans = {true, false})
  void forward_runningMaximum_isRefused(boolean trainingOnly) {
    Box box = new Box();
    assertRefused(
        block(
            (call, x) -> {
              if (call.training() || !trainingOnly) {
                float now = numbers(x.abs().max())[0];
                box.value = new float[] {box.value.length == 0 ? now : Math.max(now, box.value[0])};
              }
              NDArray scaled = box.value.length == 0 ? x : x.div(constant(x, box.value));
              return call.run("b", call.run("a", scaled).tanh());
            }),
        1,
        "field 'value'");
  }

  @Test
  void forward_lastActivationsBehindZeros_isRefused() {
    Box box = new Box();
    box.value = new float[4];
    physical = 8;
    Wiring block =
        block(
            (call, x) -> {
              NDArray h = call.run("a", x).tanh();
              NDArray y = call.run("b", h).add(call.run("zero", h.add(constant(h, box.value))));
              box.value = numbers(h.mul(5).get("0"));
              return y;
            });
    assertRefused(block.part("zero", zeros(), 4), 1, "field 'value'");
  }

  @ParameterizedTest(name = "behind zeros {0}")
  @ValueSource(booleans = {true, false})
  void forward_stateOfEveryTenthPass_isRefused(boolean behindZeros) {
    Box box = new Box();
    Wiring block =
        block(
            (call, x) -> {
              NDArray h = call.run("a", x);
              if (box.value.length == 0) {
                box.value = new float[4];
              }
              NDArray centred = h.sub(constant(h, box.value));
              NDArray y =
                  behindZeros
                      ? call.run("b", h).add(call.run("zero", centred))
                      : call.run("b", centred);
              if (++box.count % 10 == 0) {
                box.value = numbers(h.mean(new int[] {0}).mul(10));
              }
              return y;
            });
    if (behindZeros) {
      block.part("zero", zeros(), 4);
    }
    assertRefused(block, 11, "field 'value'");
  }

  @Test
  void forward_queueUsedOnceFull_readsNothingOfEarlierPasses() throws Exception {
    float[] queue = new float[4 * 100];
    int[] passes = {0};
    Unseen.notes();
    checking = false;
    train(
        block(
            (call, x) -> {
              NDArray h = call.run("a", x);
              NDArray used = h;
              if (++passes[0] > 12) {
                float[] mean = new float[4];
                for (int i = 0; i < queue.length; i++) {
                  mean[i % 4] += queue[i] / 100;
                }
                Unseen.note(mean[0] + mean[1] + mean[2] + mean[3]);
                used = h.sub(constant(h, mean));
              }
              float[] now = numbers(h);
              System.arraycopy(now, 0, queue, 0, Math.min(queue.length, now.length));
              return call.run("b", used);
            }),
        16);
    assertThat(passes[0]).isGreaterThan(12);
    assertThat(Unseen.notes()).isNotEmpty().allMatch(sum -> sum == 0);
  }

  @ParameterizedTest(name = "{0} classes")
  @ValueSource(ints = {2, 40, 100})
  void loss_centresOfClasses_moveNoLossOfALaterPass(int classes) throws Exception {
    float[][] centres = new float[classes][2];
    Unseen.notes();
    labels = OneStep.ids(manager, 5, classes, SAMPLES);
    physical = 8;
    loss =
        (y, predictions) -> {
          NDArray p = predictions.head();
          long[] kinds = y.head().toLongArray();
          float[] mine = new float[kinds.length * 2];
          for (int i = 0; i < kinds.length; i++) {
            System.arraycopy(centres[(int) kinds[i]], 0, mine, 2 * i, 2);
            Unseen.note(mine[2 * i]);
          }
          NDArray kept = p.getManager().create(mine, new Shape(kinds.length, 2));
          NDArray losses = p.sub(kept.toType(p.getDataType(), false)).square().sum(new int[] {1});
          float[] now = numbers(p);
          for (int i = 0; i < now.length; i++) {
            centres[(int) kinds[i / 2]][i % 2] += 0.5f * now[i] + 1;
          }
          return losses;
        };
    checking = false;
    train(block((call, x) -> call.run("b", call.run("a", x))), 4);
    assertThat(Unseen.notes()).isNotEmpty().allMatch(value -> value == 0);
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(
      strings = {"list", "deque", "map", "atomic", "static", "array", "array in place", "captured"})
  void forward_dataInAnyHolder_isNotReadByALaterPass(String holder) throws Exception {
    Holder kept = new Holder(holder, manager);
    Unseen.notes();
    checking = false;
    train(
        block(
            (call, x) -> {
              Unseen.note(kept.read());
              kept.write(numbers(x.abs().sum())[0]);
              return call.run("b", call.run("a", x));
            }),
        3);
    assertThat(Unseen.notes()).hasSizeGreaterThan(3).allMatch(value -> value == 0);
  }

  /** Keeps a number in one of several ways. */
  private static final class Holder {
    private static float[] ofClass = {0};
    private final String kind;
    private final List<Float> list = new ArrayList<>(List.of(0f));
    private final Deque<Float> deque = new ArrayDeque<>(List.of(0f));
    private final Map<String, Float> map = new HashMap<>(Map.of("x", 0f));
    private final AtomicReference<Float> atomic = new AtomicReference<>(0f);
    private final Supplier<float[]> captured;
    private NDArray array;

    Holder(String kind, NDManager manager) {
      this.kind = kind;
      array = manager.zeros(new Shape(1));
      float[] box = {0};
      captured = () -> box;
    }

    float read() {
      return switch (kind) {
        case "list" -> list.get(list.size() - 1);
        case "deque" -> deque.getLast();
        case "map" -> map.get("x");
        case "atomic" -> atomic.get();
        case "static" -> ofClass[0];
        case "captured" -> captured.get()[0];
        default -> array.getFloat();
      };
    }

    void write(float value) {
      switch (kind) {
        case "list" -> list.add(value);
        case "deque" -> deque.add(value);
        case "map" -> map.put("x", value);
        case "atomic" -> atomic.set(value);
        case "static" -> ofClass[0] = value;
        case "captured" -> captured.get()[0] = value;
        case "array" -> {
          NDManager owner = array.getManager();
          array.close();
          array = owner.create(new float[] {value});
        }
        default -> array.addi(value);
      }
    }
  }

  @Test
  void evaluate_stateOfAnEvaluation_isNotReadByATrainingPass() throws Exception {
    Box box = new Box();
    box.value = new float[1];
    Unseen.notes();
    Wiring block =
        block(
            (call, x) -> {
              if (call.training()) {
                Unseen.note(box.value[0]);
              } else {
                box.value[0] = numbers(x.abs().sum())[0];
              }
              return call.run("b", call.run("a", x));
            });
    checking = false;
    try (Model model = OneStep.model(block);
        PrivateTrainer trainer = engine().attach(model, new CapturingOptimizer())) {
      trainer.initialize(data.getShape());
      trainer.evaluate(new NDList(data.duplicate()));
      assertThat(box.value[0]).isNotZero();
      SmallRun.trainOn(trainer, OneStep.dataset(new NDList(data), new NDList(labels)), 1);
    }
    assertThat(Unseen.notes()).isNotEmpty().allMatch(value -> value == 0);
  }

  @Test
  void forward_counters_keepCounting() throws Exception {
    AtomicInteger atomic = new AtomicInteger();
    int[] array = {0};
    Box box = new Box();
    train(
        block(
            (call, x) -> {
              atomic.incrementAndGet();
              array[0]++;
              box.count++;
              return call.run("b", call.run("a", x).mul(Math.min(1, 0.5f + box.count / 100f)));
            }),
        5);
    assertThat(List.of(atomic.get(), array[0], box.count)).containsOnly(5);
  }

  @Test
  void forward_countersOverPhysicalBatchesOfOne_keepCountingFromTheSecond() throws Exception {
    Box box = new Box();
    physical = 1;
    train(
        block(
            (call, x) -> {
              box.count++;
              return call.run("b", call.run("a", x));
            }),
        1);
    assertThat(box.count).isEqualTo(SAMPLES - 1);
  }

  @Test
  void forward_masksByLength_areMadeOnceAndKept() throws Exception {
    Map<Long, NDArray> masks = new HashMap<>();
    int[] made = {0};
    train(
        block(
            (call, x) -> {
              NDArray mask =
                  masks.computeIfAbsent(
                      x.getShape().get(1),
                      width -> {
                        made[0]++;
                        return manager.ones(new Shape(width)).mul(0.5f);
                      });
              return call.run("b", call.run("a", x.mul(mask)));
            }),
        1);
    int first = made[0];
    assertThat(masks).hasSize(1);
    assertThat(masks.values()).allSatisfy(mask -> assertThat(mask.getFloat(0)).isEqualTo(0.5f));
    assertThat(first).isPositive();
  }

  @Test
  void forward_lastActivationsKeptForPlotting_canBeReadUntilTheNextPass() throws Exception {
    NDArray[] last = {null};
    int[] seen = {0};
    NDManager own = manager.newSubManager();
    int before = own.getManagedArrays().size();
    Wiring block =
        block(
            (call, x) -> {
              NDArray h = call.run("a", x);
              if (last[0] != null) {
                last[0].close();
              }
              last[0] = h.stopGradient().duplicate();
              last[0].attach(own);
              return call.run("b", h);
            });
    try (Model model = OneStep.model(block);
        PrivateTrainer trainer = engine().attach(model, new CapturingOptimizer())) {
      trainer.initialize(data.getShape());
      int steps = 0;
      for (PrivateBatch batch :
          trainer.batches(OneStep.dataset(new NDList(data), new NDList(labels)))) {
        trainer.trainBatch(batch);
        trainer.step();
        batch.close();
        assertThat(last[0].getShape()).isEqualTo(new Shape(SAMPLES, 4));
        assertThat(last[0].toFloatArray()).isNotEmpty();
        assertThat(own.getManagedArrays().size() - before).isLessThanOrEqualTo(2);
        seen[0]++;
        if (++steps == 5) {
          break;
        }
      }
    }
    assertThat(seen[0]).isEqualTo(5);
  }

  @Test
  void forward_powerIterationInAnArrayOfItsOwn_goesOn() throws Exception {
    NDArray u = manager.ones(new Shape(4));
    float before = numbers(u)[0];
    train(
        block(
            (call, x) -> {
              if (call.training()) {
                NDArray w = call.part("a").getParameters().get("weight").getArray();
                NDArray next = w.stopGradient().matMul(w.stopGradient().transpose());
                NDArray v = next.matMul(u.reshape(4, 1)).flatten();
                u.subi(u).addi(v.div(v.norm()));
              }
              return call.run("b", call.run("a", x));
            }),
        3);
    assertThat(numbers(u)[0]).isNotEqualTo(before);
  }

  @Test
  void forward_layersDroppedAtRandom_trains() throws Exception {
    Random random = new Random(1);
    int[] dropped = {0};
    train(
        block(
            (call, x) -> {
              NDArray h = call.run("a", x);
              if (random.nextBoolean()) {
                dropped[0]++;
                return call.run("b", h).mul(0.5f);
              }
              return call.run("b", h);
            }),
        4);
  }

  @Test
  @SuppressWarnings("ModifiedButNotUsed") // As in a block that keeps them for its author.
  void forward_shapesInAList_trains() throws Exception {
    List<Shape> shapes = new ArrayList<>();
    train(
        block(
            (call, x) -> {
              shapes.add(x.getShape());
              return call.run("b", call.run("a", x));
            }),
        3);
  }

  @Test
  void forward_whatTheLoopSetsBetweenPasses_stays() throws Exception {
    Box box = new Box();
    box.value = new float[] {1};
    Unseen.notes();
    Wiring block =
        block(
            (call, x) -> {
              Unseen.note(box.value[0]);
              return call.run("b", call.run("a", x.mul(box.value[0])));
            });
    try (Model model = OneStep.model(block);
        PrivateTrainer trainer = engine().attach(model, new CapturingOptimizer())) {
      trainer.initialize(data.getShape());
      int steps = 0;
      for (PrivateBatch batch :
          trainer.batches(OneStep.dataset(new NDList(data), new NDList(labels)))) {
        float at = 2 + steps;
        box.value[0] = at;
        trainer.trainBatch(batch);
        trainer.step();
        batch.close();
        assertThat(Unseen.notes()).isNotEmpty().allMatch(v -> v == at);
        if (++steps == 3) {
          break;
        }
      }
    }
  }

  private PrivacyEngine engine() {
    return PrivacyEngine.builder(OneStep.everySample(SAMPLES, 1).build())
        .optLoss(loss)
        .predictable(PredictableNoise.none(), new Random(1))
        .optSelfCheck(checking)
        .optPerformance(PerformanceOptions.defaults().withPhysicalBatchSize(physical))
        .build();
  }

  private void assertRefused(Wiring block, int steps, String... parts) {
    assertThatThrownBy(() -> train(block, steps))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("leave nothing behind")
        .hasMessageContainingAll(parts);
  }

  private void train(Wiring block, int steps) throws Exception {
    try (Model model = OneStep.model(block);
        PrivateTrainer trainer = engine().attach(model, new CapturingOptimizer())) {
      trainer.initialize(data.getShape());
      SmallRun.trainOn(trainer, OneStep.dataset(new NDList(data), new NDList(labels)), steps);
    }
  }
}
