/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.training.tracker.Tracker;
import ai.fastdp.optim.DpAdagrad;
import ai.fastdp.optim.DpAdam;
import ai.fastdp.optim.DpAdamW;
import ai.fastdp.optim.DpLamb;
import ai.fastdp.optim.DpRmsprop;
import ai.fastdp.optim.DpSgd;
import ai.fastdp.optimizer.DpOptimizer;
import ai.fastdp.plan.PrivacyPlan;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A run with any optimizer goes on from its checkpoint bit for bit. */
@Tag("slow")
final class OptimizerResumeTest {
  private static final int STEPS = 8;
  private static final Tracker FALLING =
      Tracker.factor().setBaseValue(0.1f).setFactor(0.9f).build();

  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  private Path directory;

  @SuppressWarnings("ImmutableEnumChecker") // Nobody replaces the suppliers.
  private enum Form {
    SGD(() -> DpSgd.builder().setLearningRate(0.1f).build()),
    MOMENTUM(() -> DpSgd.builder().setLearningRateTracker(FALLING).optMomentum(0.9f).build()),
    ADAM(() -> DpAdam.builder().optLearningRateTracker(FALLING).build()),
    ADAM_W(() -> DpAdamW.builder().optLearningRateTracker(FALLING).build()),
    LAMB(() -> DpLamb.builder().optLearningRateTracker(FALLING).build()),
    ADAGRAD(() -> DpAdagrad.builder().optLearningRateTracker(FALLING).build()),
    RMSPROP(() -> DpRmsprop.builder().optLearningRateTracker(FALLING).build());

    private final Supplier<DpOptimizer> optimizer;

    Form(Supplier<DpOptimizer> optimizer) {
      this.optimizer = optimizer;
    }
  }

  @ParameterizedTest
  @EnumSource
  void resume_anyOptimizer_equalsTheUninterruptedRun(Form form) throws Exception {
    PrivacyPlan plan = SmallRun.plan(STEPS).build();
    SmallRun whole = new SmallRun(Files.createDirectories(directory.resolve("whole")));
    List<Integer> expected;
    try (Model model = SmallRun.model();
        PrivateTrainer trainer =
            whole.engine(plan, 100).build().attach(model, form.optimizer.get())) {
      SmallRun.train(trainer, STEPS);
      expected = SmallRun.bits(model);
    }
    SmallRun parts = new SmallRun(Files.createDirectories(directory.resolve("parts")));
    for (int stop : new int[] {3, 4, STEPS}) {
      PrivacyEngine engine = parts.engine(plan, 1).build();
      try (Model model = SmallRun.model();
          PrivateTrainer trainer =
              stop == 3
                  ? engine.attach(model, form.optimizer.get())
                  : engine.resume(model, form.optimizer.get())) {
        SmallRun.train(trainer, stop);
        if (stop == STEPS) {
          assertThat(SmallRun.bits(model)).isEqualTo(expected);
        }
      }
    }
  }
}
