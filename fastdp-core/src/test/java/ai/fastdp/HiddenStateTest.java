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
import ai.djl.training.initializer.Initializer;
import ai.fastdp.loss.PerSampleLoss;
import ai.fastdp.sampling.PrivateBatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Blocks that carry raw data out of a pass: in parameters no gradient updates, or in fields. */
@Tag("slow")
final class HiddenStateTest {
  private static final int SAMPLES = 8;
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

  @ParameterizedTest(name = "self-check {0}")
  @ValueSource(booleans = {true, false})
  void forward_runningMeanInAFrozenParameter_isRefused(boolean selfCheck) {
    Running block = new Running(false);
    assertRefused(block, selfCheck, "parameter 'runningMean' (4)", "raw data");
  }

  @ParameterizedTest(name = "self-check {0}")
  @ValueSource(booleans = {true, false})
  void forward_runningMeanByTheStoresArray_isRefused(boolean selfCheck) {
    Running block = new Running(true);
    assertRefused(block, selfCheck, "parameter 'runningMean' (4)", "raw data");
  }

  @Test
  void forward_biasOfAnotherLayerInPlace_isRefused() {
    Wiring block =
        new Wiring(
            (call, x) -> {
              Parameter bias = call.part("a").getParameters().get("bias");
              if (call.training()) {
                bias.getArray().stopGradient().addi(x.mean(new int[] {0}));
              }
              return call.run("a", x);
            });
    assertRefused(block.part("a", Recipe.linear(WIDTH), WIDTH), false, "parameter '01a/bias' (4)");
  }

  @Test
  void loss_thatWritesIntoAParameter_isRefused() {
    Running block =
        new Running(false) {
          @Override
          void learn(NDArray mean, NDArray x) {}
        };
    PerSampleLoss loss =
        (labels, outputs) -> {
          block
              .mean()
              .getArray()
              .stopGradient()
              .addi(outputs.head().stopGradient().mean(new int[] {0}));
          return outputs.head().square().sum(new int[] {1});
        };
    assertThatThrownBy(() -> train(block, false, loss))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("parameter 'runningMean' (4)");
  }

  @Test
  void forward_runningMeanInAField_isRefused() {
    NDArray[] mean = {manager.zeros(new Shape(WIDTH))};
    Wiring block =
        new Wiring(
            (call, x) -> {
              if (call.training()) {
                NDArray now = x.mean(new int[] {0}).stopGradient();
                now.attach(manager);
                mean[0] = mean[0].mul(0.9f).add(now.mul(0.1f));
                return call.run("a", x);
              }
              return call.run("a", x.sub(mean[0]));
            });
    assertRefused(block.part("a", Recipe.linear(WIDTH), WIDTH), true, "leave nothing behind");
  }

  @Test
  void forward_lastActivationsInAField_isRefused() {
    NDArray[] last = {manager.zeros(new Shape(WIDTH))};
    Wiring block =
        new Wiring(
            (call, x) -> {
              NDArray h = call.run("a", x.add(last[0].mul(0.1f)));
              NDArray now = x.max(new int[] {0}).stopGradient().toType(DataType.FLOAT32, true);
              now.attach(manager);
              last[0] = now;
              return h;
            });
    assertRefused(block.part("a", Recipe.linear(WIDTH), WIDTH), true, "leave nothing behind");
  }

  @Test
  void forward_maskKeptAsLongAsTheShapeStays_isRefused() {
    NDArray[] mask = {manager.zeros(new Shape(0))};
    Wiring block =
        new Wiring(
            (call, x) -> {
              if (!mask[0].getShape().equals(x.getShape())) {
                NDArray now = x.gt(2).toType(DataType.FLOAT32, true).stopGradient();
                now.attach(manager);
                mask[0] = now;
              }
              return call.run("a", x.mul(mask[0]));
            });
    assertRefused(block.part("a", Recipe.linear(WIDTH), WIDTH), true, "leave nothing behind");
  }

  @Test
  void forward_runningMeanBehindALayerOfZeros_isRefused() {
    float[] centre = new float[WIDTH];
    Block zeros = Recipe.plainLinear(WIDTH);
    zeros.setInitializer(Initializer.ZEROS, Parameter.Type.WEIGHT);
    Wiring block =
        new Wiring(
            (call, x) -> {
              NDArray centred = x.sub(x.getManager().create(centre));
              if (call.training()) {
                follow(centre, x);
              }
              return call.run("a", x).add(call.run("zeros", centred));
            });
    block.part("a", Recipe.linear(WIDTH), WIDTH).part("zeros", zeros, WIDTH);
    assertRefused(block, true, "leave nothing behind");
  }

  @Test
  void forward_runningMeanOverPhysicalBatchesOfOne_isRefused() {
    float[] centre = new float[WIDTH];
    Wiring block =
        new Wiring(
            (call, x) -> {
              NDArray h = call.run("a", x.sub(x.getManager().create(centre)));
              follow(centre, x);
              return h;
            });
    block.part("a", Recipe.linear(WIDTH), WIDTH);
    NDList data = new NDList(OneStep.normal(manager, 3, 1, SAMPLES, WIDTH));
    assertThatThrownBy(
            () -> {
              try (Model model = OneStep.model(block);
                  PrivateTrainer trainer =
                      OneStep.engine(OneStep.everySample(SAMPLES, 1).build(), squares())
                          .optPerformance(PerformanceOptions.defaults().withPhysicalBatchSize(1))
                          .build()
                          .attach(model, new CapturingOptimizer())) {
                trainer.initialize(data.head().getShape());
                SmallRun.trainOn(trainer, OneStep.dataset(data, data), 1);
              }
            })
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("leave nothing behind");
  }

  @ParameterizedTest(name = "training only {0}")
  @ValueSource(booleans = {true, false})
  void forward_movingCentreInAField_isRefused(boolean trainingOnly) {
    float[] centre = new float[WIDTH];
    Wiring block =
        new Wiring(
            (call, x) -> {
              if (trainingOnly && !call.training()) {
                return call.run("a", x);
              }
              NDArray h = x.sub(x.getManager().create(centre.clone()));
              follow(centre, x);
              return call.run("a", h);
            });
    assertRefused(block.part("a", Recipe.linear(WIDTH), WIDTH), true, "leave nothing behind");
  }

  @Test
  void loss_movingCentreOfOutputsInAField_isRefused() {
    float[] centre = new float[WIDTH];
    PerSampleLoss loss =
        (labels, outputs) -> {
          NDArray h = outputs.head();
          NDArray losses = h.sub(h.getManager().create(centre.clone())).square().sum(new int[] {1});
          follow(centre, h);
          return losses;
        };
    Wiring block = new Wiring((call, x) -> call.run("a", x));
    block.part("a", Recipe.linear(WIDTH), WIDTH);
    assertThatThrownBy(() -> train(block, true, loss))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("leave nothing behind");
  }

  @Test
  void forward_temperatureThatFallsWithPasses_trains() throws Exception {
    int[] passes = {0};
    Wiring block =
        new Wiring(
            (call, x) -> call.run("a", x.mul(Math.min(1, 0.1 + passes[0]++ / 1000.0)).tanh()));
    train(block.part("a", Recipe.linear(WIDTH), WIDTH), true, squares());
  }

  private static void follow(float[] centre, NDArray x) {
    float[] now = x.stopGradient().mean(new int[] {0}).toFloatArray();
    for (int j = 0; j < WIDTH; j++) {
      centre[j] = 0.9f * centre[j] + 0.1f * now[j];
    }
  }

  @Test
  void forward_fixedStatistics_trains() throws Exception {
    Running block =
        new Running(false) {
          @Override
          void learn(NDArray mean, NDArray x) {}
        };
    train(block, true, squares());
  }

  /** A normalisation of a user's own. */
  private static class Running extends Wiring {
    private final Parameter mean;

    Running(boolean byStore) {
      this(byStore, new Running[1]);
    }

    private Running(boolean byStore, Running[] self) {
      super(
          (call, x) -> {
            Parameter own = self[0].mean;
            NDArray array =
                byStore
                    ? call.store().getValue(own, x.getDevice(), call.training())
                    : own.getArray();
            if (call.training()) {
              self[0].learn(array, x.mean(new int[] {0}));
            }
            return call.run("a", x.sub(array));
          });
      self[0] = this;
      mean =
          addParameter(
              Parameter.builder()
                  .setName("runningMean")
                  .setType(Parameter.Type.RUNNING_MEAN)
                  .optShape(new Shape(WIDTH))
                  .optRequiresGrad(false)
                  .build());
      part("a", Recipe.linear(WIDTH), WIDTH);
    }

    Parameter mean() {
      return mean;
    }

    void learn(NDArray mean, NDArray x) {
      mean.muli(0.9f).addi(x.mul(0.1f));
    }
  }

  private static PerSampleLoss squares() {
    return (labels, outputs) -> outputs.head().square().sum(new int[] {1});
  }

  private void assertRefused(Block block, boolean selfCheck, String... parts) {
    assertThatThrownBy(() -> train(block, selfCheck, squares()))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContainingAll(parts);
  }

  private void train(Block block, boolean selfCheck, PerSampleLoss loss) throws Exception {
    CapturingOptimizer optimizer = new CapturingOptimizer();
    NDArray data = OneStep.normal(manager, 3, 1, SAMPLES, WIDTH).add(2);
    try (Model model = OneStep.model(block);
        PrivateTrainer trainer =
            OneStep.engine(OneStep.everySample(SAMPLES, 1).build(), loss)
                .optSelfCheck(selfCheck)
                .build()
                .attach(model, optimizer)) {
      trainer.initialize(data.getShape());
      PrivateBatch batch =
          trainer.batches(OneStep.dataset(new NDList(data), new NDList(data))).iterator().next();
      try {
        trainer.trainBatch(batch);
        trainer.step();
      } finally {
        batch.close();
        assertThat(optimizer.updates).isBetween(0, 1);
      }
    }
  }
}
