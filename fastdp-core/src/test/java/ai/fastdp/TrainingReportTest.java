/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.ArrayDataset;
import ai.fastdp.accounting.statement.NoiseOrigin;
import ai.fastdp.mechanism.PredictableNoise;
import ai.fastdp.plan.PlanManifest;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.sampling.PrivateBatch;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.DoubleSummaryStatistics;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class TrainingReportTest {
  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  private Path directory;

  private static List<JsonObject> lines(Path file) throws IOException {
    List<JsonObject> lines = new ArrayList<>();
    for (String line : Files.readAllLines(file)) {
      lines.add(JsonParser.parseString(line).getAsJsonObject());
    }
    return lines;
  }

  private static double number(JsonObject line, String group, String name) {
    return line.getAsJsonObject(group).get(name).getAsDouble();
  }

  @Test
  void report_byDefault_hasPublicValuesAlone() throws Exception {
    Path file = directory.resolve("report.jsonl");
    PrivacyPlan plan = SmallRun.plan(5).build();
    List<Double> spent = new ArrayList<>();
    try (Model model = SmallRun.model();
        PrivateTrainer trainer =
            new SmallRun(directory)
                .engine(plan, 10)
                .optReport(TrainingReport.to(file))
                .build()
                .attach(model, new HeavyBall())) {
      SmallRun.train(trainer, 5, after -> spent.add(after.spent().upper().orElseThrow()));
    }
    List<JsonObject> lines = lines(file);
    assertThat(lines).hasSize(7);
    JsonObject statement = lines.get(6).getAsJsonObject("public").getAsJsonObject("statement");
    assertThat(lines.get(6).get("step").getAsLong()).isEqualTo(5);
    assertThat(statement.get("steps").getAsLong()).isEqualTo(5);
    assertThat(statement.get("planHash").getAsString())
        .isEqualTo(PlanManifest.of(plan, NoiseOrigin.Kind.TEST_SEED).hash());
    // The tests' seed is no secret.
    assertThat(statement.get("private").getAsBoolean()).isFalse();
    for (JsonObject line : lines) {
      assertThat(line.keySet()).containsExactly("step", "public");
    }
    JsonObject begin = lines.get(0).getAsJsonObject("public");
    assertThat(lines.get(0).get("step").getAsLong()).isZero();
    assertThat(begin.keySet())
        .containsExactly("plan", "planHash", "noise", "stepsCharged", "stepsLost");
    assertThat(begin.get("planHash").getAsString())
        .isEqualTo(PlanManifest.of(plan, NoiseOrigin.Kind.TEST_SEED).hash());
    for (int step = 1; step <= 5; step++) {
      JsonObject line = lines.get(step);
      assertThat(line.get("step").getAsLong()).isEqualTo(step);
      assertThat(line.getAsJsonObject("public").keySet())
          .containsExactly(
              "epsilon",
              "delta",
              "sampleRate",
              "noiseMultiplier",
              "clipNorm",
              "learningRate",
              "stepsCharged");
      assertThat(number(line, "public", "epsilon")).isEqualTo(spent.get(step - 1));
      assertThat(number(line, "public", "sampleRate")).isEqualTo(plan.sampleRate());
      assertThat(number(line, "public", "noiseMultiplier")).isEqualTo(1);
      assertThat(number(line, "public", "learningRate")).isEqualTo(0.05f / Math.sqrt(step));
      assertThat(number(line, "public", "stepsCharged")).isEqualTo(step);
    }
  }

  @Test
  void report_withPrivateValues_describesTheWholeLogicalBatch() throws Exception {
    Path file = directory.resolve("report.jsonl");
    PrivacyPlan plan = OneStep.everySample(6, 0.5).build();
    try (Model model = SmallRun.model()) {
      float[] data = OneStep.normal(model.getNDManager(), 8, 1, 6, 5).toFloatArray();
      data[27] = Float.NaN;
      NDArray samples = model.getNDManager().create(data, new Shape(6, 5));
      NDArray labels = OneStep.normal(model.getNDManager(), 9, 1, 6, 3);
      double[] norms = norms(model, samples, labels);
      ArrayDataset dataset = OneStep.dataset(new NDList(samples), new NDList(labels));
      try (PrivateTrainer trainer =
          OneStep.engine(plan, new SquaredError())
              .optSelfCheck(false)
              .optPerformance(PerformanceOptions.defaults().withPhysicalBatchSize(4))
              .optReport(TrainingReport.to(file).withPrivateValues())
              .build()
              .attach(model, new CapturingOptimizer())) {
        for (PrivateBatch batch : trainer.batches(dataset)) {
          trainer.trainBatch(batch);
          trainer.step();
          batch.close();
          if (trainer.stepsTaken() == 2) {
            break;
          }
        }
      }
      for (JsonObject line : lines(file).subList(1, 3)) {
        JsonObject values = line.getAsJsonObject("private");
        assertThat(values.get("batchSize").getAsLong()).isEqualTo(6);
        assertThat(values.get("nonFiniteSamples").getAsLong()).isEqualTo(1);
        // The mean of losses one of which is not a number.
        assertThat(values.get("loss").isJsonNull()).isTrue();
        assertThat(values.get("millis").getAsDouble()).isPositive();
        JsonObject norm = values.getAsJsonObject("gradientNorm");
        DoubleSummaryStatistics expected =
            Arrays.stream(norms).filter(Double::isFinite).summaryStatistics();
        assertThat(expected.getCount()).isEqualTo(5);
        assertThat(norm.get("least").getAsDouble())
            .isCloseTo(expected.getMin(), withinPercentage(1e-4));
        assertThat(norm.get("mean").getAsDouble())
            .isCloseTo(expected.getAverage(), withinPercentage(1e-4));
        assertThat(norm.get("largest").getAsDouble())
            .isCloseTo(expected.getMax(), withinPercentage(1e-4));
        long above = Arrays.stream(norms).filter(n -> n > 0.5).count();
        assertThat(norm.get("aboveClipNorm").getAsDouble()).isEqualTo(above / 5.0);
      }
    }
  }

  /** Norms by back-propagation on batches of one. */
  private static double[] norms(Model model, NDArray samples, NDArray labels) {
    BatchOfOneOracle oracle =
        new BatchOfOneOracle(model.getBlock(), (y, p) -> new SquaredError().evaluate(y, p));
    double[][][] gradients = oracle.gradients(new NDList(samples), new NDList(labels));
    double[] norms = new double[6];
    for (int i = 0; i < 6; i++) {
      norms[i] = BatchOfOneOracle.norm(gradients[i]);
    }
    return norms;
  }

  @Test
  void report_resumedRun_goesOnInTheSameFile() throws Exception {
    Path file = directory.resolve("report.jsonl");
    PrivacyPlan plan = SmallRun.plan(6).build();
    SmallRun run = new SmallRun(Files.createDirectories(directory.resolve("run")));
    SmallRun crash;
    try (Model model = SmallRun.model();
        PrivateTrainer trainer =
            run.engine(plan, 2)
                .optReport(TrainingReport.to(file))
                .build()
                .attach(model, new HeavyBall())) {
      SmallRun.train(trainer, 3);
      crash = run.copy(directory.resolve("crash"));
    }
    Files.writeString(file, "{\"step\":4,\"pub", StandardOpenOption.APPEND);
    try (Model model = SmallRun.model();
        PrivateTrainer trainer =
            crash
                .engine(plan, 2)
                .optReport(TrainingReport.to(file))
                .build()
                .resume(model, new HeavyBall())) {
      SmallRun.train(trainer, 6);
    }
    List<JsonObject> lines = lines(file);
    assertThat(lines.stream().map(line -> line.get("step").getAsLong()))
        .containsExactly(0L, 1L, 2L, 3L, 3L, 2L, 3L, 4L, 5L, 5L);
    assertThat(number(lines.get(5), "public", "stepsLost")).isEqualTo(1);
    assertThat(number(lines.get(8), "public", "stepsCharged")).isEqualTo(6);
    for (int last : new int[] {4, 9}) {
      assertThat(lines.get(last).getAsJsonObject("public").keySet()).containsExactly("statement");
    }
  }

  @Test
  void report_emptyBatch_hasNoLossAndNoNorms() throws Exception {
    Path file = directory.resolve("report.jsonl");
    PrivacyPlan plan =
        PrivacyPlan.builder()
            .setDatasetSize(6)
            .setSampleRate(1e-9)
            .setSteps(1)
            .setNoiseMultiplier(1)
            .setDelta(1e-5)
            .setClipNorm(1)
            .build();
    try (Model model = SmallRun.model();
        PrivateTrainer trainer =
            PrivacyEngine.builder(plan)
                .optLoss(new SquaredError())
                .optAnyDataSize()
                .predictable(PredictableNoise.none(), new Random(1))
                .optReport(TrainingReport.to(file).withPrivateValues())
                .build()
                .attach(model, new CapturingOptimizer())) {
      SmallRun.train(trainer, 1);
    }
    JsonObject line = lines(file).get(1);
    assertThat(line.getAsJsonObject("public").get("learningRate").isJsonNull()).isTrue();
    JsonObject values = line.getAsJsonObject("private");
    assertThat(values.get("batchSize").getAsLong()).isZero();
    assertThat(values.get("loss").isJsonNull()).isTrue();
    assertThat(values.getAsJsonObject("gradientNorm").get("mean").isJsonNull()).isTrue();
  }
}
