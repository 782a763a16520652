/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.fastdp.accounting.accountant.EpsilonBound;
import ai.fastdp.accounting.accountant.PrivacyAccountant;
import ai.fastdp.accounting.statement.NoiseOrigin;
import ai.fastdp.accounting.statement.PrivacyStatement;
import ai.fastdp.accounting.statement.ReleaseSummary;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.plan.NoiseDistribution;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.plan.StepSchedule;
import com.google.gson.JsonParser;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The statement of the run that was made, whatever the run was. */
final class RunStatementTest {
  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  private Path directory;

  private PrivateTrainer attach(PrivacyPlan plan, Model model) throws Exception {
    SmallRun run = new SmallRun(Files.createDirectories(directory.resolve("run")));
    return run.secureEngine(plan, 100).build().attach(model, new HeavyBall());
  }

  private static EpsilonBound afterSteps(PrivacyPlan plan, long steps) {
    PrivacyAccountant accountant = plan.newAccountant();
    for (long t = 0; t < steps; t++) {
      accountant.compose(plan.stepEvent(t));
    }
    return accountant.epsilon(plan.budget().delta());
  }

  @Test
  void statement_everyStep_isOfTheStepsSoFarAndAgreesWithTheLedger() throws Exception {
    PrivacyPlan plan =
        SmallRun.plan(6)
            .optNoiseSchedule(StepSchedule.staircase(2, 2))
            .optClipNormSchedule(StepSchedule.exponential(0.9))
            .build();
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = attach(plan, model)) {
      assertThat(trainer.statement("record").steps()).isZero();
      SmallRun.train(
          trainer,
          5,
          after -> {
            PrivacyStatement statement = after.statement("patient");
            assertThat(statement.steps()).isEqualTo(after.stepsTaken());
            assertThat(statement.epsilon()).isEqualTo(after.spent());
            assertThat(statement.epsilon().upper().getAsDouble())
                .isCloseTo(
                    afterSteps(plan, after.stepsTaken()).upper().getAsDouble(),
                    org.assertj.core.data.Percentage.withPercentage(1e-9));
          });
      PrivacyStatement statement = trainer.statement("patient");
      assertThat(statement.releases())
          .extracting(ReleaseSummary::steps)
          .containsExactly(2L, 2L, 1L);
      assertThat(statement.releases())
          .extracting(release -> release.noises().get(0).noiseMultiplier())
          .containsExactly(1.0, 2.0, 4.0);
      assertThat(statement.noise().kind()).isEqualTo(NoiseOrigin.Kind.SECURE_STREAM);
      assertThat(statement.toProse())
          .contains("patient-level", "AES-256", "schedule", "norm 1.0", "Poisson", "rate 0.2");
      assertThat(JsonParser.parseString(statement.toJson()).getAsJsonObject().get("private"))
          .isEqualTo(JsonParser.parseString("true"));
    }
  }

  @Test
  void statement_adaptiveClippingAndDiscreteNoise_saysBoth() throws Exception {
    PrivacyPlan plan =
        SmallRun.plan(2)
            .optClipping(ClippingFunction.adaptiveQuantile(0.5, 2))
            .optNoise(NoiseDistribution.DISCRETE_GAUSSIAN)
            .build();
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = attach(plan, model)) {
      SmallRun.train(trainer, 2);
      assertThat(trainer.statement("record").toProse())
          .contains(
              "2 steps",
              "discrete Gaussian noise of 1.0 and discrete Gaussian noise of 4.0",
              "private quantile query",
              "for rounding");
      assertThat(trainer.statement("record").epsilon()).isEqualTo(trainer.spent());
    }
  }

  @Test
  void statement_testSeed_isNotPrivate() throws Exception {
    try (Model model = SmallRun.model();
        PrivateTrainer trainer =
            new SmallRun(directory)
                .engine(SmallRun.plan(3).build(), 1)
                .build()
                .attach(model, new HeavyBall())) {
      SmallRun.train(trainer, 1);
      PrivacyStatement statement = trainer.statement("record");
      assertThat(statement.toProse()).startsWith("The training is not differentially private");
      assertThat(statement.epsilon().upper().getAsDouble()).isPositive().isInfinite();
    }
  }

  @Test
  void statement_resumedRun_coversLostStepsAndEarlierOnes() throws Exception {
    SmallRun run = new SmallRun(directory);
    PrivacyPlan plan = SmallRun.plan(6).build();
    SmallRun crashed;
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = run.secureEngine(plan, 2).build().attach(model, new HeavyBall())) {
      SmallRun.train(trainer, 3);
      crashed = run.copy(directory.resolve("crashed"));
    }
    try (Model model = SmallRun.model();
        PrivateTrainer trainer =
            crashed.secureEngine(plan, 2).build().resume(model, new HeavyBall())) {
      assertThat(trainer.stepsTaken()).isEqualTo(2);
      assertThat(trainer.statement("record").steps()).isEqualTo(3);
      SmallRun.train(trainer, 3);
      assertThat(trainer.statement("record").steps()).isEqualTo(4);
    }
  }

  @Test
  void optDeviceNoise_testSeedOnACpu_trainsResumesAndIsNotPrivate() throws Exception {
    PrivacyPlan plan =
        SmallRun.plan(6).optClipping(ClippingFunction.adaptiveQuantile(0.5, 2)).build();
    SmallRun whole = new SmallRun(Files.createDirectories(directory.resolve("whole")));
    SmallRun parts = new SmallRun(Files.createDirectories(directory.resolve("parts")));
    List<Integer> expected;
    try (Model model = SmallRun.model();
        PrivateTrainer trainer =
            whole.engine(plan, 1).optDeviceNoise().build().attach(model, new HeavyBall())) {
      SmallRun.train(trainer, 6);
      expected = SmallRun.bits(model);
      PrivacyStatement statement = trainer.statement("record");
      assertThat(statement.noise().kind()).isEqualTo(NoiseOrigin.Kind.TEST_SEED);
      assertThat(statement.toProse()).contains("PyTorch's generator of cpu");
    }
    for (int stop : new int[] {2, 6}) {
      PrivacyEngine engine = parts.engine(plan, 1).optDeviceNoise().build();
      try (Model model = SmallRun.model();
          PrivateTrainer trainer =
              stop == 2
                  ? engine.attach(model, new HeavyBall())
                  : engine.resume(model, new HeavyBall())) {
        SmallRun.train(trainer, stop);
        assertThat(SmallRun.bits(model).equals(expected)).isEqualTo(stop == 6);
      }
    }
  }

  @Test
  void optDeviceNoise_cpuOrDiscreteNoise_isRefused() {
    PrivacyEngineBuilder onCpu =
        PrivacyEngine.builder(SmallRun.plan(2).build())
            .optDevice(ai.djl.Device.cpu())
            .optDeviceNoise();
    try (Model model = SmallRun.model()) {
      assertThatThrownBy(() -> onCpu.build().attach(model, new HeavyBall()))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("device must be a GPU for its generator's noise, got cpu");
    }
    PrivacyPlan discrete = SmallRun.plan(2).optNoise(NoiseDistribution.DISCRETE_GAUSSIAN).build();
    assertThatThrownBy(() -> PrivacyEngine.builder(discrete).optDeviceNoise().build())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("must be GAUSSIAN for a device's generator");
  }

  @Test
  void resume_otherKindOfNoise_isRefused() throws Exception {
    // A statement has one source of noise for all steps of its ledger.
    SmallRun run = new SmallRun(directory);
    PrivacyPlan plan = SmallRun.plan(6).build();
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = run.engine(plan, 1).build().attach(model, new HeavyBall())) {
      SmallRun.train(trainer, 1);
    }
    try (Model model = SmallRun.model()) {
      assertThatThrownBy(() -> run.secureEngine(plan, 1).build().resume(model, new HeavyBall()))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("ledger must be opened with the plan");
    }
  }
}
