/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.training.dataset.ArrayDataset;
import ai.fastdp.internal.kernel.FloatType;
import ai.fastdp.optim.DpAdamW;
import ai.fastdp.optimizer.DpOptimizer;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.sampling.PrivateBatch;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Runs of float16 and bfloat16 models, from the data to the checkpoint. */
@Tag("slow")
final class HalfModelRunTest {
  private static final int STEPS = 8;

  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  private Path directory;

  @ParameterizedTest
  @EnumSource
  void resume_ofAnyType_equalsTheUninterruptedRun(FloatType type) throws Exception {
    PrivacyPlan plan = SmallRun.plan(STEPS).build();
    SmallRun whole = new SmallRun(Files.createDirectories(directory.resolve("whole")));
    List<Float> begin;
    List<Float> expected;
    try (Model model = model(type);
        PrivateTrainer trainer = engine(whole, plan).attach(model, optimizer())) {
      begin = values(model);
      train(trainer, type, STEPS);
      expected = values(model);
      assertThat(FloatType.of(kernels(trainer), first(model))).contains(type);
    }
    assertThat(expected).isNotEqualTo(begin).allMatch(Float::isFinite);
    SmallRun parts = new SmallRun(Files.createDirectories(directory.resolve("parts")));
    for (int stop : new int[] {3, STEPS}) {
      PrivacyEngine engine = engine(parts, plan);
      try (Model model = model(type);
          PrivateTrainer trainer =
              stop == 3 ? engine.attach(model, optimizer()) : engine.resume(model, optimizer())) {
        train(trainer, type, stop);
        if (stop == STEPS) {
          assertThat(values(model)).isEqualTo(expected);
        }
      }
    }
  }

  private static PrivacyEngine engine(SmallRun run, PrivacyPlan plan) {
    return run.engine(plan, 1).optSelfCheck(true).optLossScale(64).build();
  }

  private static DpOptimizer optimizer() {
    return DpAdamW.builder().optLearningRate(0.01f).build();
  }

  private static Model model(FloatType type) {
    return Halves.round(SmallRun.model(), type, type);
  }

  private static NDArray first(Model model) {
    return model.getBlock().getParameters().valueAt(0).getArray();
  }

  private static ai.fastdp.kernel.TorchScriptModule kernels(PrivateTrainer trainer) {
    return ai.fastdp.internal.kernel.BookKeepingKernels.compile(trainer.getManager());
  }

  private static List<Float> values(Model model) {
    List<Float> values = new ArrayList<>();
    for (Parameter parameter : model.getBlock().getParameters().values()) {
      for (float value : Halves.cast(parameter.getArray(), FloatType.FLOAT32).toFloatArray()) {
        values.add(value);
      }
    }
    return values;
  }

  private static void train(PrivateTrainer trainer, FloatType type, long until) throws Exception {
    NDManager manager = trainer.getManager();
    ArrayDataset dataset =
        OneStep.dataset(
            new NDList(Halves.cast(OneStep.normal(manager, 3, 1, SmallRun.SAMPLES, 5), type)),
            new NDList(OneStep.normal(manager, 4, 1, SmallRun.SAMPLES, 3)));
    for (PrivateBatch batch : trainer.batches(dataset)) {
      trainer.trainBatch(batch);
      trainer.step();
      batch.close();
      if (batch.endsStep() && trainer.stepsTaken() >= until) {
        return;
      }
    }
  }
}
