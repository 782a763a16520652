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
import ai.djl.nn.Block;
import ai.djl.nn.norm.Dropout;
import ai.fastdp.loss.PerSampleLoss;
import ai.fastdp.sampling.PrivateBatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Models and losses in which samples influence each other in ways that three samples may hide. */
@Tag("slow")
final class MixingTest {
  private static final int SAMPLES = 24;
  private static final int WIDTH = 4;

  private NDManager manager;

  @BeforeEach
  void open() {
    manager = NDManager.newBaseManager("PyTorch");
  }

  @AfterEach
  void close() {
    manager.close();
  }

  // ---------------------------------------------------------------- with a derivative

  @RepeatedTest(5)
  void loss_rankingInsideAQuery_isRefused() {
    // Only the last two samples are of one query.
    float[] queries = new float[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
      queries[i] = Math.min(i, SAMPLES - 2);
    }
    PerSampleLoss loss =
        (labels, outputs) -> {
          NDArray scores = outputs.head().sum(new int[] {1});
          NDArray query = labels.get(1);
          NDArray same = query.expandDims(1).eq(query.expandDims(0)).toType(DataType.FLOAT32, true);
          NDArray margins = scores.expandDims(0).sub(scores.expandDims(1));
          return margins.exp().add(1).log().mul(same).sum(new int[] {1});
        };
    assertRefused(
        linear(), loss, data(), manager.zeros(new Shape(SAMPLES)), manager.create(queries));
  }

  @Test
  void forward_statisticsOfNeighbours_isRefused() {
    Wiring block =
        new Wiring(
            (call, x) -> {
              NDArray h = call.run("a", x);
              long b = h.getShape().get(0);
              if (b % 4 != 0) {
                return h;
              }
              NDArray groups = h.reshape(b / 4, 4, WIDTH);
              return groups.sub(groups.mean(new int[] {1}, true)).reshape(b, WIDTH);
            });
    assertRefused(block.part("a", Recipe.linear(WIDTH), WIDTH), squares(), data(), zeros());
  }

  @Test
  void forward_batchMeanFromFourSamplesOn_isRefused() {
    Wiring block =
        new Wiring(
            (call, x) -> {
              NDArray h = call.run("a", x);
              return h.getShape().get(0) < 4 ? h : h.sub(h.mean(new int[] {0}, true));
            });
    assertRefused(block.part("a", Recipe.linear(WIDTH), WIDTH), squares(), data(), zeros());
  }

  @Test
  void loss_hardestTripletOfTheBatch_isRefused() {
    float[] classes = new float[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
      classes[i] = i < 3 ? i : 2;
    }
    PerSampleLoss loss =
        (labels, outputs) -> {
          NDArray x = outputs.head();
          NDArray y = labels.head();
          NDArray distances =
              x.expandDims(1).sub(x.expandDims(0)).square().sum(new int[] {2}).add(1e-6f).sqrt();
          NDArray same = y.expandDims(1).eq(y.expandDims(0)).toType(DataType.FLOAT32, true);
          NDArray furthest = distances.mul(same).max(new int[] {1});
          NDArray nearest = distances.add(same.mul(1e6f)).min(new int[] {1});
          return furthest.sub(nearest.minimum(10)).add(20);
        };
    assertRefused(linear(), loss, data(), manager.create(classes));
  }

  @RepeatedTest(5)
  void forward_samplesSortedBetweenLayers_isRefused() {
    // The first three are in order, and the losses are in their old places: a packed sequence.
    float[] lengths = new float[SAMPLES * WIDTH];
    for (int i = 0; i < SAMPLES; i++) {
      lengths[i * WIDTH] = i == SAMPLES - 1 ? 2.5f : i;
      lengths[i * WIDTH + 1] = 1 + i % 3;
    }
    Wiring block =
        new Wiring(
            (call, x) -> {
              NDArray order = x.get(":,0").argSort();
              NDArray back = order.argSort();
              NDArray h = call.run("b", rows(call.run("a", x), order).tanh());
              return rows(h, back);
            });
    block.part("a", Recipe.linear(WIDTH), WIDTH).part("b", Recipe.linear(WIDTH), WIDTH);
    assertRefused(block, squares(), manager.create(lengths, new Shape(SAMPLES, WIDTH)), zeros());
  }

  @Test
  void loss_hingeBetweenClassesOfASortedSet_isRefused() {
    float[] classes = new float[SAMPLES];
    for (int i = SAMPLES - 4; i < SAMPLES; i++) {
      classes[i] = 1;
    }
    assertRefused(linear(), hinge(), data(), manager.create(classes));
  }

  @RepeatedTest(3)
  void loss_hingeThatOnlyLaterBatchesShow_isRefusedBeforeManySteps() {
    // The first micro-batch has one class.
    float[] classes = new float[64];
    for (int i = 8; i < 64; i++) {
      classes[i] = i % 2;
    }
    NDArray data = OneStep.normal(manager, 3, 1, 64, WIDTH);
    PrivacyEngineBuilder engine =
        OneStep.engine(OneStep.everySample(64, 1).build(), hinge())
            .optPerformance(PerformanceOptions.defaults().withPhysicalBatchSize(8));
    assertRefused(linear(), engine, data, manager.create(classes));
  }

  // ---------------------------------------------------------------- without one

  @ParameterizedTest(name = "dropout {0}")
  @ValueSource(booleans = {false, true})
  void loss_hardestOfTheBatchOnly_isRefused(boolean dropout) {
    PerSampleLoss loss =
        (labels, outputs) -> {
          NDArray losses = outputs.head().square().sum(new int[] {1});
          long kept = losses.size() * 7 / 10;
          NDArray sorted = losses.stopGradient().sort(0);
          NDArray threshold = sorted.get(losses.size() - Math.max(1, kept));
          return losses.mul(losses.stopGradient().gte(threshold).toType(DataType.FLOAT32, true));
        };
    assertRefused(dropout ? dropped() : linear(), loss, data(), zeros());
  }

  @Test
  void forward_quantisedByTheLargestOfTheBatch_isRefused() {
    Wiring block =
        new Wiring(
            (call, x) -> {
              NDArray unit = x.abs().max().div(32767).stopGradient();
              return call.run("a", x.div(unit).round().mul(unit));
            });
    assertRefused(block.part("a", Recipe.linear(WIDTH), WIDTH), squares(), data(), zeros());
  }

  @ParameterizedTest(name = "dropout {0}")
  @ValueSource(booleans = {false, true})
  void loss_weightedByTheClassCountsOfTheBatch_isRefused(boolean dropout) {
    float[] classes = new float[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
      classes[i] = i % 3;
    }
    PerSampleLoss loss =
        (labels, outputs) -> {
          NDArray y = labels.head();
          NDArray same = y.expandDims(1).eq(y.expandDims(0)).toType(DataType.FLOAT32, true);
          return outputs.head().square().sum(new int[] {1}).div(same.sum(new int[] {1}));
        };
    assertRefused(dropout ? dropped() : linear(), loss, data(), manager.create(classes));
  }

  @Test
  void forward_capacityOfAnExpert_isRefused() {
    Wiring block =
        new Wiring(
            (call, x) -> {
              NDArray h = call.run("a", x);
              NDArray place = h.getManager().arange((int) h.getShape().get(0));
              return h.mul(place.lt(10).toType(DataType.FLOAT32, true).expandDims(1));
            });
    assertRefused(block.part("a", Recipe.linear(WIDTH), WIDTH), squares(), data(), zeros());
  }

  @Test
  void forward_lostSampleAxisOfASingleSample_isRefusedAndSaysSo() {
    Wiring block =
        new Wiring((call, x) -> call.run("b", call.run("a", x).expandDims(1).squeeze()))
            .part("a", Recipe.linear(WIDTH), WIDTH)
            .part("b", Recipe.linear(WIDTH), WIDTH);
    assertRefused(block, squares(), data(), zeros());
  }

  // ---------------------------------------------------------------- neither, but in gradients

  @ParameterizedTest(name = "weights of {0}")
  @ValueSource(floats = {0, 1e-20f})
  void forward_batchMeanBeforeAHeadOfZeros_isRefused(float scale) {
    Wiring block =
        new Wiring(
                (call, x) -> {
                  NDArray h = call.run("a", x);
                  return call.run("head", h.sub(h.mean(new int[] {0}, true)));
                })
            .part("a", Recipe.linear(WIDTH), WIDTH)
            .part("head", Recipe.linear(WIDTH), WIDTH);
    block.initialize(manager, DataType.FLOAT32, new Shape(1, WIDTH));
    block.get("head").getParameters().values().forEach(p -> p.getArray().muli(scale));
    assertRefused(block, squares(), data(), zeros().add(1));
  }

  @Test
  void forward_gradientWithASignOfTheBatchSize_isRefused() {
    Wiring block =
        new Wiring(
            (call, x) -> {
              NDArray h = call.run("a", x);
              NDArray fixed = h.stopGradient();
              return h.sub(fixed).mul(h.getShape().get(0) % 2 == 0 ? 1 : -1).add(fixed);
            });
    assertRefused(block.part("a", Recipe.linear(WIDTH), WIDTH), squares(), data(), zeros());
  }

  @Test
  void loss_largeConstantAndADetachedBatchMean_isRefused() {
    Wiring block =
        new Wiring((call, x) -> call.run("a", x.sub(x.stopGradient().mean(new int[] {0}, true))));
    PerSampleLoss loss = (labels, outputs) -> squares().evaluate(labels, outputs).add(1e9f);
    assertRefused(block.part("a", Recipe.linear(WIDTH), WIDTH), loss, data(), zeros());
  }

  // ---------------------------------------------------------------- plumbing

  private static NDArray rows(NDArray array, NDArray order) {
    return array.get(new NDIndex("{}", order));
  }

  private static PerSampleLoss squares() {
    return (labels, outputs) ->
        outputs.head().sub(labels.head().expandDims(1)).square().sum(new int[] {1});
  }

  /** A pull to zero, and a push between samples of different classes. */
  private static PerSampleLoss hinge() {
    return (labels, outputs) -> {
      NDArray e = outputs.head().sum(new int[] {1});
      NDArray y = labels.head();
      NDArray other = y.expandDims(1).neq(y.expandDims(0)).toType(DataType.FLOAT32, true);
      NDArray gap = e.expandDims(1).sub(e.expandDims(0)).square();
      return e.square()
          .mul(0.01f)
          .add(gap.mul(-1).add(100).maximum(0).mul(other).sum(new int[] {1}));
    };
  }

  private NDArray data() {
    return OneStep.normal(manager, 3, 1, SAMPLES, WIDTH);
  }

  private NDArray zeros() {
    return manager.zeros(new Shape(SAMPLES));
  }

  private static Wiring linear() {
    return new Wiring((call, x) -> call.run("a", x)).part("a", Recipe.linear(WIDTH), WIDTH);
  }

  private static Wiring dropped() {
    return new Wiring((call, x) -> call.run("d", call.run("a", x)))
        .part("a", Recipe.linear(WIDTH), WIDTH)
        .part("d", Dropout.builder().optRate(0.5f).build(), WIDTH);
  }

  private void assertRefused(Block block, PerSampleLoss loss, NDArray data, NDArray... labels) {
    PrivacyEngineBuilder engine =
        OneStep.engine(OneStep.everySample(data.getShape().get(0), 1).build(), loss);
    assertRefused(block, engine, data, labels);
  }

  private void assertRefused(
      Block block, PrivacyEngineBuilder engine, NDArray data, NDArray... labels) {
    CapturingOptimizer optimizer = new CapturingOptimizer();
    assertThatThrownBy(() -> train(block, engine, optimizer, new NDList(data), new NDList(labels)))
        .isInstanceOf(IllegalStateException.class)
        .message()
        .satisfiesAnyOf(
            message -> assertThat(message).contains("must not influence"),
            message -> assertThat(message).contains("must not depend on the rest of its batch"),
            message -> assertThat(message).contains("sample's gradient must not depend"),
            message -> assertThat(message).contains("on its first axis"));
    assertThat(optimizer.updates).isZero();
  }

  private static void train(
      Block block,
      PrivacyEngineBuilder engine,
      CapturingOptimizer optimizer,
      NDList data,
      NDList labels)
      throws Exception {
    try (Model model = OneStep.model(block);
        PrivateTrainer trainer = engine.build().attach(model, optimizer)) {
      trainer.initialize(data.head().getShape());
      for (PrivateBatch batch : trainer.batches(OneStep.dataset(data, labels))) {
        trainer.trainBatch(batch);
        trainer.step();
        batch.close();
        if (optimizer.updates > 0) {
          return;
        }
      }
    }
  }
}
