/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.fastdp.accounting.accountant.PrivacyAccountant;
import ai.fastdp.accounting.ledger.FileLedger;
import ai.fastdp.accounting.statement.NoiseOrigin;
import ai.fastdp.internal.checkpoint.TensorFile;
import ai.fastdp.plan.PlanManifest;
import ai.fastdp.plan.PrivacyPlan;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A run that is killed at random moments, again and again, and goes on.
 *
 * <p>{@code -Dfastdp.kills=200} kills it that often; a few times by default.
 */
@Tag("slow")
final class KillTest {
  private static final int KILLS = Integer.getInteger("fastdp.kills", 4);
  // Far more than the run gets done between two kills.
  private static final long STEPS_PER_KILL = 40;
  private static final long SEED = Long.getLong("fastdp.kill.seed", 20261122L);

  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  private Path directory;

  private long steps;

  @Test
  void run_killedAtRandomMoments_losesNoStepAndForgetsNoSpending() throws Exception {
    steps = STEPS_PER_KILL * (KILLS + 1);
    Random random = new Random(SEED);
    int killed = 0;
    long lost = 0;
    while (killed < KILLS) {
      Process process = start();
      // Most while it trains, some while it starts.
      boolean early = random.nextInt(10) == 0;
      if (early) {
        process.waitFor(random.nextInt(1500), TimeUnit.MILLISECONDS);
      } else {
        awaitSteps(process, count("released") + 1 + random.nextInt(10));
        long nanos = (long) (random.nextDouble() * 8e6);
        process.waitFor(nanos, TimeUnit.NANOSECONDS);
      }
      assertThat(process.isAlive() || finished()).as("ended by itself").isTrue();
      process.destroyForcibly().waitFor();
      if (finished()) {
        break;
      }
      killed++;
      lost = requireNothingForgotten(lost);
    }
    assertThat(killed).as("the run must be long enough to be killed so often").isEqualTo(KILLS);
    Process last = start();
    assertThat(last.waitFor()).isZero();
    requireNothingForgotten(lost);
    requireSameAsUninterrupted();
  }

  private boolean finished() {
    return Files.exists(directory.resolve("finished"));
  }

  private Process start() throws IOException {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Xmx256m",
            "-XX:TieredStopAtLevel=1",
            "-Dai.djl.offline=true",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-cp",
            System.getProperty("java.class.path"),
            KilledRun.class.getName(),
            directory.toString(),
            Long.toString(steps))
        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
        .redirectError(directory.resolve("errors").toFile())
        .start();
  }

  private void awaitSteps(Process process, long released) throws IOException, InterruptedException {
    while (process.isAlive() && count("released") < released) {
      process.waitFor(1, TimeUnit.MILLISECONDS);
    }
    assertThat(process.isAlive() || finished()).as(() -> "ended by itself: " + errors()).isTrue();
  }

  private String errors() {
    try {
      return Files.readString(directory.resolve("errors"));
    } catch (IOException e) {
      return e.toString();
    }
  }

  private long count(String file) throws IOException {
    Path path = directory.resolve(file);
    return Files.exists(path) ? Files.size(path) : 0;
  }

  /** Checks what the process left, and returns how many steps have been lost so far. */
  private long requireNothingForgotten(long lostBefore) throws IOException {
    SmallRun run = new SmallRun(directory);
    PrivacyPlan plan = KilledRun.plan(steps);
    long released = count("released");
    long charges = 0;
    if (Files.exists(run.ledger())) {
      try (FileLedger ledger =
          FileLedger.open(
              run.ledger(),
              plan.newAccountant(),
              plan.budget(),
              PlanManifest.of(plan, NoiseOrigin.Kind.TEST_SEED).hash())) {
        charges = ledger.charges();
        PrivacyAccountant accountant = plan.newAccountant();
        accountant.compose(plan.stepEvent(0), released);
        double spent = ledger.spent().upper().orElseThrow();
        assertThat(spent)
            .as("spending against what was released")
            .isGreaterThanOrEqualTo(accountant.epsilon(plan.budget().delta()).upper().orElseThrow())
            .isLessThanOrEqualTo(plan.budget().epsilon());
      }
    }
    assertThat(charges).isBetween(released, steps);
    long saved = 0;
    if (Files.exists(run.checkpoint())) {
      try (TensorFile file = TensorFile.open(run.checkpoint())) {
        saved = Long.parseLong(file.metadata().get("steps"));
      }
    }
    // Steps that returned in lives that began with fewer lost ones are all in the checkpoint.
    assertThat(saved).as("steps saved").isGreaterThanOrEqualTo(count("completed"));
    long lost = charges - saved;
    assertThat(lost).as("steps in flight at a kill").isBetween(lostBefore, lostBefore + 1);
    return lost;
  }

  private void requireSameAsUninterrupted() throws Exception {
    PrivacyPlan plan = KilledRun.plan(steps);
    SmallRun run = new SmallRun(directory);
    List<Integer> resumed;
    long taken;
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = run.engine(plan, 1).build().resume(model, KilledRun.optimizer())) {
      taken = trainer.stepsTaken();
      assertThat(trainer.stepsCharged()).isEqualTo(steps);
      resumed = SmallRun.bits(model);
    }
    assertThat(resumed).allMatch(bits -> Float.isFinite(Float.intBitsToFloat(bits)));
    SmallRun whole = new SmallRun(Files.createDirectory(directory.resolve("whole")));
    List<Integer> expected = new ArrayList<>();
    try (Model model = SmallRun.model();
        PrivateTrainer trainer =
            whole.engine(plan, steps).build().attach(model, KilledRun.optimizer())) {
      SmallRun.train(trainer, taken);
      expected.addAll(SmallRun.bits(model));
    }
    // Noise, batches and the optimizer's state have gone on where they were: anything lost or used
    // twice would show.
    assertThat(resumed).as("weights, bit for bit").isEqualTo(expected);
    System.out.printf(
        "%d kills: %d of %d steps taken, %d in flight when killed; same weights%n",
        KILLS, taken, steps, steps - taken);
  }
}
