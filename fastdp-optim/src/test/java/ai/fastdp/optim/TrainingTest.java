/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.optimizer.Optimizer;
import ai.fastdp.PrivacyEngine;
import ai.fastdp.PrivateTrainer;
import ai.fastdp.optimizer.DpOptimizer;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.sampling.PrivateBatch;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Every optimizer inside a private trainer. */
@Tag("slow")
final class TrainingTest {
  private static final int STEPS = 3;
  private static final int SAMPLES = 32;

  static Stream<Arguments> optimizers() {
    Map<String, Supplier<DpOptimizer>> all = Fixture.all();
    all.put("DJL's Adam", () -> DpOptimizer.wrap(Optimizer.adam().build()));
    return all.entrySet().stream().map(form -> Arguments.of(form.getKey(), form.getValue()));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("optimizers")
  void step_threeTimes_movesEveryParameter(String name, Supplier<DpOptimizer> form)
      throws Exception {
    PrivacyPlan plan =
        PrivacyPlan.builder()
            .setDatasetSize(SAMPLES)
            .setBatchSize(8)
            .setSteps(STEPS)
            .setNoiseMultiplier(1)
            .setDelta(1e-5)
            .setClipNorm(1)
            .build();
    try (Model model = Model.newInstance("small")) {
      model.setBlock(
          new SequentialBlock()
              .add(Linear.builder().setUnits(6).build())
              .add(Activation.reluBlock())
              .add(Linear.builder().setUnits(2).build()));
      NDManager manager = model.getNDManager();
      ArrayDataset dataset =
          new ArrayDataset.Builder()
              .setData(manager.randomNormal(new Shape(SAMPLES, 4)))
              .optLabels(manager.randomInteger(0, 2, new Shape(SAMPLES), DataType.INT64))
              .setSampling(8, true)
              .build();
      DpOptimizer optimizer = form.get();
      try (PrivateTrainer trainer = PrivacyEngine.of(plan).attach(model, optimizer)) {
        trainer.initialize(new Shape(1, 4));
        List<Parameter> parameters = model.getBlock().getParameters().values();
        List<float[]> before = Fixture.values(parameters);
        for (PrivateBatch batch : trainer.batches(dataset)) {
          trainer.trainBatch(batch);
          trainer.step();
          batch.close();
        }
        assertThat(trainer.stepsTaken()).isEqualTo(STEPS);
        List<float[]> after = Fixture.values(parameters);
        for (int k = 0; k < before.size(); k++) {
          assertThat(Arrays.equals(before.get(k), after.get(k))).as("parameter %d", k).isFalse();
          for (float value : after.get(k)) {
            assertThat(value).isFinite();
          }
        }
      }
    }
  }
}
