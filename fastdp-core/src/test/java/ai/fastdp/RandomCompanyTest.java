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
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import ai.fastdp.sampling.PrivateBatch;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Samples that influence each other where losses are random, or in one clipping group alone. */
@Tag("slow")
final class RandomCompanyTest {
  private static final int SAMPLES = 24;
  private static final int WIDTH = 6;

  private NDManager manager;

  @BeforeEach
  void open() {
    manager = NDManager.newBaseManager("PyTorch");
  }

  @AfterEach
  void close() {
    manager.close();
  }

  // ---------------------------------------------------------------- wrong: in training mode alone

  @Test
  void forward_batchMeanInTrainingModeBesideDropout_isRefused() {
    assertRefused(
        dropped((call, h) -> call.training() ? h.sub(mean(h)) : h), squares(), data(), zeros());
  }

  @Test
  void forward_largestOfTheBatchInTrainingModeBesideDropout_isRefused() {
    assertRefused(
        dropped((call, h) -> call.training() ? h.div(h.stopGradient().abs().max()) : h),
        squares(),
        data(),
        zeros());
  }

  @Test
  void forward_batchMeanInABatchOfTwo_isRefused() {
    assertRefused(
        dropped((call, h) -> call.training() ? h.sub(mean(h)) : h),
        squares(),
        OneStep.normal(manager, 3, 1, 2, WIDTH),
        manager.zeros(new Shape(2)));
  }

  @Test
  void forward_partnersDrawnByPytorch_isRefused() {
    Wiring block =
        dropped(
            (call, h) -> {
              if (!call.training()) {
                return h;
              }
              NDArray partner =
                  h.getManager().randomUniform(0, 1, new Shape(h.getShape().get(0))).argSort();
              return h.mul(0.8f).add(h.stopGradient().get(new NDIndex("{}", partner)).mul(0.2f));
            });
    assertRefused(block, squares(), data(), zeros());
  }

  @Test
  void forward_batchMeanInNoise_isRefused() {
    // Random in both modes, with PyTorch's generator.
    Wiring block =
        new Wiring(
                (call, x) -> {
                  NDArray h = call.run("a", x);
                  NDArray noise = h.getManager().randomNormal(h.getShape()).mul(0.3f);
                  return call.run("b", h.add(noise).sub(mean(h)));
                })
            .part("a", Recipe.linear(4), WIDTH)
            .part("b", Recipe.linear(2), 4);
    assertRefused(block, squares(), data(), zeros());
  }

  @Test
  void loss_classCountsAndLabelsAsInputs_isRefused() {
    PerSampleLoss loss =
        (labels, outputs) -> {
          NDArray y = labels.head();
          NDArray same = y.expandDims(1).eq(y.expandDims(0)).toType(DataType.FLOAT32, true);
          return outputs.head().square().sum(new int[] {1}).div(same.sum(new int[] {1}));
        };
    assertRefused(new NeedsLabels(), loss, data(), classes());
  }

  // ---------------------------------------------------------------- wrong: random numbers of Java

  @ParameterizedTest(name = "dropout {0}")
  @ValueSource(booleans = {false, true})
  void loss_labelsMixedAtRandom_isRefused(boolean dropout) {
    Random chance = new Random(4);
    PerSampleLoss loss =
        (labels, outputs) -> {
          NDArray y = labels.head();
          List<Long> order = new ArrayList<>();
          for (long i = 0; i < y.size(); i++) {
            order.add(i);
          }
          Collections.shuffle(order, chance);
          NDArray others =
              y.get(
                  new NDIndex(
                      "{}",
                      y.getManager().create(order.stream().mapToLong(i -> i).toArray())));
          float part = chance.nextFloat();
          NDArray mixed = y.mul(part).add(others.mul(1 - part));
          return outputs.head().sub(mixed.expandDims(1)).square().sum(new int[] {1});
        };
    Block block = dropout ? dropped((call, h) -> h) : plain();
    assertRefused(block, loss, data(), OneStep.normal(manager, 9, 1, SAMPLES));
  }

  @Test
  void loss_meanLabelMixedAtRandom_isRefused() {
    Random chance = new Random(4);
    PerSampleLoss loss =
        (labels, outputs) -> {
          NDArray y = labels.head();
          NDArray mixed =
              y.mul(0.5f + 0.4f * chance.nextFloat()).add(y.mean().mul(chance.nextFloat()));
          return outputs.head().sub(mixed.expandDims(1)).square().sum(new int[] {1});
        };
    NDArray labels = OneStep.normal(manager, 9, 1, SAMPLES);
    labels.set(new NDIndex("23"), 1e3);
    assertRefused(plain(), loss, data(), labels);
  }

  // ---------------------------------------------------------------- plumbing

  private static NDArray mean(NDArray h) {
    return h.stopGradient().mean(new int[] {0}, true);
  }

  /** Two layers, with a body and dropout in between. */
  private static Wiring dropped(Between between) {
    return new Wiring(
            (call, x) ->
                call.run("b", call.run("d", between.apply(call, call.run("a", x)).tanh())))
        .part("a", Recipe.linear(4), WIDTH)
        .part("d", Dropout.builder().optRate(0.5f).build(), 4)
        .part("b", Recipe.linear(2), 4);
  }

  private interface Between {
    NDArray apply(Wiring.Call call, NDArray h);
  }

  private static Block plain() {
    return new Wiring((call, x) -> call.run("b", call.run("a", x).tanh()))
        .part("a", Recipe.linear(4), WIDTH)
        .part("b", Recipe.linear(2), 4);
  }

  private static PerSampleLoss squares() {
    return (labels, outputs) -> outputs.head().sub(1).square().sum(new int[] {1});
  }

  private NDArray data() {
    return OneStep.normal(manager, 3, 1, SAMPLES, WIDTH);
  }

  private NDArray zeros() {
    return manager.zeros(new Shape(SAMPLES));
  }

  private NDArray classes() {
    float[] classes = new float[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
      classes[i] = i % 3;
    }
    return manager.create(classes);
  }

  private void assertRefused(Block block, PerSampleLoss loss, NDArray data, NDArray labels) {
    assertRefused(
        block, loss, data, labels, OneStep.everySample(data.getShape().get(0), 1));
  }

  private void assertRefused(
      Block block, PerSampleLoss loss, NDArray data, NDArray labels, PrivacyPlanBuilder plan) {
    CapturingOptimizer optimizer = new CapturingOptimizer();
    assertThatThrownBy(() -> train(block, loss, data, labels, plan, optimizer, 1))
        .isInstanceOf(IllegalStateException.class)
        .message()
        .satisfiesAnyOf(
            message -> assertThat(message).contains("loss must not depend on the rest"),
            message -> assertThat(message).contains("gradient must not depend on the rest"));
    assertThat(optimizer.updates).isZero();
  }

  private static void train(
      Block block,
      PerSampleLoss loss,
      NDArray data,
      NDArray labels,
      PrivacyPlanBuilder plan,
      CapturingOptimizer optimizer,
      int steps)
      throws Exception {
    try (Model model = OneStep.model(block);
        PrivateTrainer trainer =
            OneStep.engine(plan.build(), loss).build().attach(model, optimizer)) {
      trainer.initialize(data.getShape());
      NDList data1 = new NDList(data);
      for (PrivateBatch batch : trainer.batches(OneStep.dataset(data1, new NDList(labels)))) {
        trainer.trainBatch(batch);
        trainer.step();
        batch.close();
        if (optimizer.updates == steps) {
          return;
        }
      }
    }
  }

  /** A model with dropout that reads its labels, and does not run without them. */
  private static final class NeedsLabels extends Wiring {
    NeedsLabels() {
      super((call, x) -> call.run("b", call.run("d", call.run("a", x).tanh())));
      part("a", Recipe.linear(4), WIDTH);
      part("d", Dropout.builder().optRate(0.5f).build(), 4);
      part("b", Recipe.linear(2), 4);
    }

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList data, NDList labels, PairList<String, Object> params) {
      NDArray hint = labels.head().expandDims(1).mul(0.1f);
      return super.forwardInternal(store, new NDList(data.head().add(hint)), true, params);
    }

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList data, boolean training, PairList<String, Object> params) {
      if (!training) {
        throw new IllegalStateException("labels must be given");
      }
      return super.forwardInternal(store, data, true, params);
    }
  }
}
