/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.fastdp.accounting.statement.PrivacyStatement;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.sampling.PrivateBatch;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Runs without a guarantee: what they are good for, and that nobody takes them for private. */
@Tag("slow")
final class NonPrivateTest {
  private static final int SAMPLES = 6;

  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  private Path directory;

  private SmallRun run(String name) throws Exception {
    return new SmallRun(Files.createDirectories(directory.resolve(name)));
  }

  private static NonPrivate mode(boolean noiseless, long seed) {
    return noiseless ? NonPrivate.noiseless(seed) : NonPrivate.seeded(seed);
  }

  private static PrivacyPlan plan() {
    return SmallRun.plan(6).build();
  }

  @Test
  void step_noiseless_isTheClippedMeanOfPlainArithmetic() throws Exception {
    double clipNorm = 2;
    PrivacyPlan plan =
        OneStep.everySample(SAMPLES, clipNorm).optClipping(ClippingFunction.abadi()).build();
    CapturingOptimizer optimizer = new CapturingOptimizer();
    try (Model model =
            OneStep.model(
                new Wiring((call, x) -> call.run("a", x)).part("a", Recipe.linear(3), 5));
        PrivateTrainer trainer =
            PrivacyEngine.builder(plan)
                .optLoss(new SquaredError())
                .optNonPrivate(NonPrivate.noiseless(1))
                .build()
                .attach(model, optimizer)) {
      NDManager manager = model.getNDManager();
      trainer.initialize(new Shape(1, 5));
      var weight = model.getBlock().getParameters().values().get(0);
      var bias = model.getBlock().getParameters().values().get(1);
      assertThat(weight.getArray().getDataType()).isEqualTo(DataType.FLOAT32);
      NDList data = new NDList(OneStep.normal(manager, 1, 1, SAMPLES, 5));
      NDList labels = new NDList(OneStep.normal(manager, 2, 1, SAMPLES, 3));
      double[][] expected =
          clippedMean(
              weight.getArray().toFloatArray(),
              bias.getArray().toFloatArray(),
              data.head().toFloatArray(),
              labels.head().toFloatArray(),
              clipNorm);
      PrivateBatch batch = trainer.batches(OneStep.dataset(data, labels)).iterator().next();
      trainer.trainBatch(batch);
      trainer.step();
      assertClose(Objects.requireNonNull(optimizer.gradients.get(weight)), expected[0]);
      assertClose(Objects.requireNonNull(optimizer.gradients.get(bias)), expected[1]);
    }
  }

  /** For outputs W x + b and half the squared error: the gradients are r x' and r. */
  private static double[][] clippedMean(
      float[] weight, float[] bias, float[] data, float[] labels, double clipNorm) {
    double[] ofWeight = new double[weight.length];
    double[] ofBias = new double[bias.length];
    for (int i = 0; i < SAMPLES; i++) {
      double[] residual = new double[3];
      double residuals = 0;
      double inputs = 0;
      for (int j = 0; j < 5; j++) {
        inputs += Math.pow(data[5 * i + j], 2);
      }
      for (int k = 0; k < 3; k++) {
        residual[k] = (double) bias[k] - labels[3 * i + k];
        for (int j = 0; j < 5; j++) {
          residual[k] += (double) weight[5 * k + j] * data[5 * i + j];
        }
        residuals += residual[k] * residual[k];
      }
      double factor = Math.min(1, clipNorm / Math.sqrt(residuals * (inputs + 1))) / SAMPLES;
      for (int k = 0; k < 3; k++) {
        ofBias[k] += factor * residual[k];
        for (int j = 0; j < 5; j++) {
          ofWeight[5 * k + j] += factor * residual[k] * data[5 * i + j];
        }
      }
    }
    return new double[][] {ofWeight, ofBias};
  }

  private static void assertClose(float[] actual, double[] expected) {
    assertThat(actual).hasSize(expected.length);
    for (int j = 0; j < expected.length; j++) {
      assertThat((double) actual[j]).isCloseTo(expected[j], Offset.offset(1e-5));
    }
  }

  private List<Integer> train(SmallRun run, NonPrivate mode, long... stops) throws Exception {
    List<Integer> bits = List.of();
    PrivacyEngine engine = run.secureEngine(plan(), 1).optNonPrivate(mode).build();
    for (int i = 0; i < stops.length; i++) {
      try (Model model = SmallRun.model();
          PrivateTrainer trainer =
              i == 0
                  ? engine.attach(model, new HeavyBall())
                  : engine.resume(model, new HeavyBall())) {
        SmallRun.train(trainer, stops[i]);
        bits = SmallRun.bits(model);
      }
    }
    return bits;
  }

  @ParameterizedTest(name = "noiseless: {0}")
  @ValueSource(booleans = {true, false})
  void seed_same_repeatsAndResumesBitForBit(boolean noiseless) throws Exception {
    List<Integer> whole = train(run("whole"), mode(noiseless, 5), 6);
    assertThat(train(run("again"), mode(noiseless, 5), 6)).isEqualTo(whole);
    assertThat(train(run("parts"), mode(noiseless, 5), 2, 5, 6)).isEqualTo(whole);
    assertThat(train(run("other"), mode(noiseless, 6), 6)).isNotEqualTo(whole);
  }

  @Test
  void seed_withAndWithoutNoise_differ() throws Exception {
    assertThat(train(run("noisy"), NonPrivate.seeded(5), 6))
        .isNotEqualTo(train(run("noiseless"), NonPrivate.noiseless(5), 6));
  }

  @Test
  void attach_againBySameEngine_repeatsFromTheBeginning() throws Exception {
    PrivacyEngine engine =
        PrivacyEngine.builder(plan())
            .optLoss(new SquaredError())
            .optSelfCheck(false)
            .optNonPrivate(NonPrivate.seeded(4))
            .build();
    List<Integer> first = null;
    for (int i = 0; i < 2; i++) {
      try (Model model = SmallRun.model();
          PrivateTrainer trainer = engine.attach(model, new HeavyBall())) {
        SmallRun.train(trainer, 3);
        List<Integer> bits = SmallRun.bits(model);
        assertThat(first == null || first.equals(bits)).isTrue();
        first = bits;
      }
    }
  }

  @ParameterizedTest(name = "noiseless: {0}")
  @ValueSource(booleans = {true, false})
  void claims_anyMode_areInfinite(boolean noiseless) throws Exception {
    Path report = directory.resolve("report.jsonl");
    PrivacyEngine engine =
        run("run")
            .secureEngine(plan(), 1)
            .optNonPrivate(mode(noiseless, 1))
            .optReport(TrainingReport.to(report))
            .build();
    PrivacyStatement statement;
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = engine.attach(model, new HeavyBall())) {
      assertThat(trainer.spent().upper().orElseThrow()).isInfinite().isPositive();
      SmallRun.train(trainer, 2);
      assertThat(trainer.spent().upper().orElseThrow()).isInfinite().isPositive();
      statement = trainer.statement("record");
    }
    assertThat(statement.epsilon().upper().orElseThrow()).isInfinite();
    assertThat(statement.toProse()).startsWith("The training is not differentially private");
    assertThat(json(statement.toJson()).get("private").getAsBoolean()).isFalse();
    int steps = 0;
    for (String line : Files.readAllLines(report)) {
      JsonObject values = json(line).getAsJsonObject("public");
      if (values.has("epsilon")) {
        assertThat(values.get("epsilon").isJsonNull()).isTrue();
        steps++;
      }
    }
    assertThat(steps).isEqualTo(2);
  }

  private static JsonObject json(String text) {
    return JsonParser.parseString(text).getAsJsonObject();
  }

  @ParameterizedTest(name = "noiseless: {0}")
  @ValueSource(booleans = {true, false})
  void ledger_ofTheOtherKindOfRun_isRefused(boolean noiseless) throws Exception {
    SmallRun first = run("nonPrivate");
    train(first, mode(noiseless, 1), 2);
    assertRefused(first.secureEngine(plan(), 1));
    assertRefused(first.secureEngine(plan(), 1).optNonPrivate(mode(!noiseless, 1)));
    SmallRun second = run("private");
    try (Model model = SmallRun.model();
        PrivateTrainer trainer =
            second.secureEngine(plan(), 1).build().attach(model, new HeavyBall())) {
      SmallRun.train(trainer, 2);
    }
    assertRefused(second.secureEngine(plan(), 1).optNonPrivate(mode(noiseless, 1)));
  }

  private static void assertRefused(PrivacyEngineBuilder engine) throws Exception {
    try (Model model = SmallRun.model()) {
      assertThatThrownBy(() -> engine.build().resume(model, new HeavyBall()))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("ledger must be opened with the plan");
    }
  }
}
