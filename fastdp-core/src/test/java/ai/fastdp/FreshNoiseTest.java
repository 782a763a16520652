/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.mechanism.ClippedGradientSum;
import ai.fastdp.mechanism.NoiseMechanism;
import ai.fastdp.mechanism.NoiseSource;
import ai.fastdp.mechanism.PrivatizedGradient;
import ai.fastdp.optimizer.DpOptimizer;
import ai.fastdp.optimizer.OptimizerState;
import ai.fastdp.plan.NoiseDistribution;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.plan.PrivacyPlanBuilder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * No two steps of any runs share noise.
 *
 * <p>Every sample is in every batch and the noise is large: two gradients with the same noise
 * differ by at most twice the clip norm, two with their own by the noise.
 */
@Tag("slow")
final class FreshNoiseTest {
  private static final double MULTIPLIER = 1000;
  private static final double DEVIATION = MULTIPLIER / SmallRun.SAMPLES;
  private static final int PARAMETERS = 4 * 5 + 4 + 3 * 4 + 3;

  @RegisterExtension private static final KernelsFixture FIXTURE = new KernelsFixture();

  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  private Path directory;

  private static PrivacyPlanBuilder plan(long steps) {
    return OneStep.everySample(SmallRun.SAMPLES, steps, MULTIPLIER).setClipNorm(1);
  }

  private static PrivacyEngineBuilder engine(PrivacyPlan plan) {
    return PrivacyEngine.builder(plan).optLoss(new SquaredError()).optSelfCheck(false);
  }

  private static List<float[]> train(PrivacyEngine engine, long steps) throws Exception {
    Recorder recorder = new Recorder();
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = engine.attach(model, recorder)) {
      SmallRun.train(trainer, steps);
    }
    return recorder.gradients;
  }

  /**
   * All pairs differ by their noise. The squared norm of the noise's difference is a chi-square of
   * 39 degrees, in units of twice the variance: below a quarter of its mean with a probability
   * under 1e-8.
   */
  private static void assertNoCommonNoise(List<float[]> gradients) {
    for (int i = 0; i < gradients.size(); i++) {
      for (int k = 0; k < i; k++) {
        assertThat(distance(gradients.get(i), gradients.get(k)))
            .as("gradients %d and %d", i, k)
            .isGreaterThan(0.5 * DEVIATION * Math.sqrt(2.0 * PARAMETERS));
      }
    }
  }

  private static double distance(float[] left, float[] right) {
    assertThat(left).hasSize(PARAMETERS).hasSameSizeAs(right);
    double square = 0;
    for (int j = 0; j < left.length; j++) {
      square += Math.pow((double) left[j] - right[j], 2);
    }
    return Math.sqrt(square);
  }

  private static void assertNoEqualCoordinate(float[] left, float[] right) {
    for (int j = 0; j < left.length; j++) {
      assertThat(left[j]).isNotEqualTo(right[j]);
    }
  }

  @ParameterizedTest
  @EnumSource(NoiseDistribution.class)
  void attach_twoModelsOfOneEngine_shareNoNoise(NoiseDistribution noise) throws Exception {
    PrivacyEngine engine = engine(plan(4).optNoise(noise).build()).build();
    Recorder first = new Recorder();
    Recorder second = new Recorder();
    try (Model one = SmallRun.model();
        Model other = SmallRun.model();
        PrivateTrainer left = engine.attach(one, first);
        PrivateTrainer right = engine.attach(other, second)) {
      SmallRun.train(left, 2);
      SmallRun.train(right, 2);
    }
    assertNoCommonNoise(joined(first.gradients, second.gradients));
  }

  @ParameterizedTest
  @EnumSource(NoiseDistribution.class)
  void attach_againAfterClose_sharesNoNoise(NoiseDistribution noise) throws Exception {
    PrivacyEngine engine = engine(plan(4).optNoise(noise).build()).build();
    List<float[]> first = train(engine, 2);
    List<float[]> second = train(engine, 2);
    assertNoCommonNoise(joined(first, second));
    if (noise == NoiseDistribution.GAUSSIAN) {
      assertNoEqualCoordinate(first.get(0), second.get(0));
    }
  }

  @Test
  void attach_againOnALedgerFile_sharesNoNoise() throws Exception {
    PrivacyEngine engine = engine(plan(4).build()).optLedger(directory.resolve("ledger")).build();
    assertNoCommonNoise(joined(train(engine, 2), train(engine, 2)));
  }

  @Test
  void build_twiceFromOneBuilder_enginesShareNoNoise() throws Exception {
    PrivacyEngineBuilder builder = engine(plan(2).build());
    List<float[]> first = train(builder.build(), 2);
    List<float[]> second = train(builder.build(), 2);
    assertNoCommonNoise(joined(first, second));
  }

  @ParameterizedTest(name = "by the same engine: {0}")
  @org.junit.jupiter.params.provider.ValueSource(booleans = {true, false})
  void resume_lostStepsTakenAgain_sharesNoNoise(boolean sameEngine) throws Exception {
    SmallRun run = new SmallRun(Files.createDirectories(directory.resolve("run")));
    PrivacyPlan plan = plan(8).optClipping(ClippingFunction.adaptiveQuantile(0.5, 2)).build();
    PrivacyEngine engine = run.secureEngine(plan, 2).build();
    Recorder before = new Recorder();
    SmallRun crashed;
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = engine.attach(model, before)) {
      SmallRun.train(trainer, 3);
      crashed = run.copy(directory.resolve("crashed"));
    }
    crashed.copy(directory.resolve("run"));
    Recorder after = new Recorder();
    PrivacyEngine next = sameEngine ? engine : run.secureEngine(plan, 2).build();
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = next.resume(model, after)) {
      assertThat(trainer.stepsTaken()).isEqualTo(2);
      SmallRun.train(trainer, 5);
    }
    assertNoCommonNoise(joined(before.gradients, after.gradients));
  }

  @ParameterizedTest
  @EnumSource(NoiseDistribution.class)
  void attach_adaptiveClipping_countsShareNoNoise(NoiseDistribution noise) throws Exception {
    // The clip norm after one step is the count of the same samples with its noise.
    PrivacyPlan plan =
        plan(4).optNoise(noise).optClipping(ClippingFunction.adaptiveQuantile(0.5, 50)).build();
    PrivacyEngine engine = engine(plan).build();
    List<Double> clipNorms = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      try (Model model = SmallRun.model();
          PrivateTrainer trainer = engine.attach(model, new Recorder())) {
        SmallRun.train(trainer, 1);
        clipNorms.add(trainer.clippingState().clipNorm());
      }
    }
    assertThat(clipNorms).doesNotHaveDuplicates().doesNotContain(1.0);
  }

  @Test
  void newMechanism_deviceNoise_sharesNoNoise() {
    // A CPU's generator: a run on it is refused, for its 32 bits of the seed.
    NoiseSupply supply = NoiseSupply.ofTest(NoiseSource::secure).drawnOnDevice();
    assertNoCommonNoise(List.of(deviceNoise(supply), deviceNoise(supply), deviceNoise(supply)));
  }

  private static float[] deviceNoise(NoiseSupply supply) {
    try (NDManager manager = FIXTURE.manager().newSubManager();
        Model model = SmallRun.model()) {
      List<Parameter> parameters = model.getBlock().getParameters().values();
      NoiseMechanism mechanism =
          supply.newMechanism(FIXTURE.kernels(), manager, Device.cpu(), plan(2).build(), 0);
      try (ClippedGradientSum sum = new ClippedGradientSum(FIXTURE.kernels(), manager, parameters);
          mechanism;
          PrivatizedGradient gradient = mechanism.privatize(sum, MULTIPLIER, 1)) {
        return flat(gradient);
      }
    }
  }

  private static List<float[]> joined(List<float[]> first, List<float[]> second) {
    List<float[]> all = new ArrayList<>(first);
    all.addAll(second);
    return all;
  }

  private static float[] flat(PrivatizedGradient gradient) {
    float[] all = new float[PARAMETERS];
    int at = 0;
    for (NDArray array : gradient.gradients()) {
      float[] part = array.toFloatArray();
      System.arraycopy(part, 0, all, at, part.length);
      at += part.length;
    }
    return all;
  }

  /** Keeps all gradients and leaves the weights as they are. */
  private static final class Recorder implements DpOptimizer {
    private final List<float[]> gradients = new ArrayList<>();

    @Override
    public void update(PrivatizedGradient gradient) {
      gradients.add(flat(gradient));
    }

    @Override
    public OptimizerState state() {
      return new OptimizerState("Recorder", gradients.size(), Map.of(), Map.of());
    }

    @Override
    public void restore(OptimizerState state) {}

    @Override
    public void close() {}
  }
}
