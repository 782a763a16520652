/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.training.optimizer.Optimizer;
import ai.fastdp.mechanism.PrivatizedGradient;
import ai.fastdp.optimizer.DpOptimizer;
import ai.fastdp.optimizer.OptimizerState;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.sampling.PrivateBatch;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Nothing that an optimizer keeps of a gradient ever shows the sum before its noise. */
final class GradientLifetimeTest {
  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  private Path directory;

  private final NDManager own = NDManager.newBaseManager("PyTorch");

  private static PrivacyPlan plan() {
    return OneStep.everySample(SmallRun.SAMPLES, 20, 1e6).setClipNorm(1).build();
  }

  private static PrivacyEngineBuilder engine() {
    return PrivacyEngine.builder(plan()).optLoss(new SquaredError()).optSelfCheck(false);
  }

  private static Iterator<PrivateBatch> batches(PrivateTrainer trainer) throws Exception {
    return trainer.batches(SmallRun.dataset(trainer.getManager())).iterator();
  }

  /** Takes a step and trains the next one's batch, before its noise. */
  private static void untilARawSum(PrivateTrainer trainer) throws Exception {
    Iterator<PrivateBatch> each = batches(trainer);
    trainer.trainBatch(each.next());
    trainer.step();
    trainer.trainBatch(each.next());
  }

  @Test
  void gradients_afterTheUpdate_areRefusedAndClosed() throws Exception {
    Keeper keeper = new Keeper();
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = engine().build().attach(model, keeper)) {
      untilARawSum(trainer);
      PrivatizedGradient kept = Objects.requireNonNull(keeper.gradient);
      assertThatThrownBy(kept::gradients)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("copy what is to be kept");
      assertThat(kept.noiseDeviation()).isPositive();
      for (NDArray array : keeper.arrays) {
        assertThatThrownBy(array::toFloatArray).isInstanceOf(IllegalStateException.class);
      }
    }
  }

  @Test
  void update_viewKeptByTheOptimizer_showsTheReleasedGradientForGood() throws Exception {
    Keeper keeper = new Keeper();
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = engine().build().attach(model, keeper)) {
      untilARawSum(trainer);
      assertThat(keeper.views).isNotEmpty();
      for (int k = 0; k < keeper.views.size(); k++) {
        assertThat(keeper.views.get(k).toFloatArray()).containsExactly(keeper.released.get(k));
      }
      trainer.step();
      assertThat(keeper.views.get(0).toFloatArray()).containsExactly(keeper.released.get(0));
    }
    own.close();
  }

  @Test
  void update_wrappedOptimizerKeepsAView_showsTheReleasedGradient() throws Exception {
    List<NDArray> views = new ArrayList<>();
    List<float[]> released = new ArrayList<>();
    Optimizer keeping =
        new KeepingOptimizer(
            gradient -> {
              NDArray view = gradient.reshape(-1);
              view.attach(own);
              views.add(view);
              released.add(view.toFloatArray());
            });
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = engine().build().attach(model, DpOptimizer.wrap(keeping))) {
      untilARawSum(trainer);
      for (int k = 0; k < views.size(); k++) {
        assertThat(views.get(k).toFloatArray()).containsExactly(released.get(k));
      }
    }
    own.close();
  }

  @Test
  void trainBatch_anyModel_leavesNoRawGradientAtTheParameters() throws Exception {
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = engine().build().attach(model, new CapturingOptimizer())) {
      untilARawSum(trainer);
      for (Parameter parameter : model.getBlock().getParameters().values()) {
        NDArray array = parameter.getArray();
        if (array.hasGradient()) {
          assertThat(array.getGradient().toFloatArray()).containsOnly(0);
        }
      }
    }
  }

  @ParameterizedTest(name = "physical batches of {0}")
  @ValueSource(ints = {3, 100})
  void saveCheckpoint_insideAStep_isRefused(int physical) throws Exception {
    SmallRun run = new SmallRun(directory);
    PrivacyEngine engine =
        run.secureEngine(plan(), 100)
            .optPerformance(PerformanceOptions.defaults().withPhysicalBatchSize(physical))
            .build();
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = engine.attach(model, new HeavyBall())) {
      Iterator<PrivateBatch> each = batches(trainer);
      PrivateBatch batch = each.next();
      assertRefused(trainer);
      trainer.trainBatch(batch);
      assertRefused(trainer);
      trainer.step();
      while (!batch.endsStep()) {
        assertRefused(trainer);
        batch = each.next();
        trainer.trainBatch(batch);
        trainer.step();
      }
      trainer.saveCheckpoint();
      assertThat(run.checkpoint()).exists();
    }
  }

  private static void assertRefused(PrivateTrainer trainer) {
    assertThatThrownBy(trainer::saveCheckpoint)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("between steps, got a step under way");
  }

  @Test
  void checkpoint_optimizerWhoseStateIsAView_holdsNoRawSum() throws Exception {
    // Weights stay as they are and all samples are taken: the raw sum is the same at every step.
    float[] raw = rawGradient();
    SmallRun run = new SmallRun(directory);
    Keeper keeper = new Keeper();
    try (Model model = SmallRun.model();
        PrivateTrainer trainer =
            run.secureEngine(plan(), 1)
                .optPerformance(PerformanceOptions.defaults())
                .build()
                .attach(model, keeper)) {
      untilARawSum(trainer);
    }
    byte[] file = Files.readAllBytes(run.checkpoint());
    assertThat(contains(file, keeper.released.get(0)[0])).isTrue();
    for (float value : raw) {
      assertThat(contains(file, value)).isFalse();
      assertThat(contains(file, value * SmallRun.SAMPLES)).isFalse();
    }
    own.close();
  }

  private static float[] rawGradient() throws Exception {
    CapturingOptimizer captured = new CapturingOptimizer();
    try (Model model = SmallRun.model();
        PrivateTrainer trainer =
            engine().optNonPrivate(NonPrivate.noiseless(1)).build().attach(model, captured)) {
      trainer.trainBatch(batches(trainer).next());
      trainer.step();
      return Objects.requireNonNull(
          captured.gradients.get(model.getBlock().getParameters().values().get(0)));
    }
  }

  private static boolean contains(byte[] file, float value) {
    byte[] wanted =
        ByteBuffer.allocate(Float.BYTES).order(ByteOrder.LITTLE_ENDIAN).putFloat(value).array();
    for (int i = 0; i + wanted.length <= file.length; i++) {
      int same = 0;
      while (same < wanted.length && file[i + same] == wanted[same]) {
        same++;
      }
      if (same == wanted.length) {
        return true;
      }
    }
    return false;
  }

  /** A DJL optimizer that shows its gradients. */
  private static final class KeepingOptimizer extends Optimizer {
    private final Consumer<NDArray> shown;

    KeepingOptimizer(Consumer<NDArray> shown) {
      super(new Builder());
      this.shown = shown;
    }

    @Override
    public void update(String parameterId, NDArray weight, NDArray grad) {
      shown.accept(grad);
    }

    private static final class Builder extends OptimizerBuilder<Builder> {
      @Override
      protected Builder self() {
        return this;
      }
    }
  }

  /** Keeps everything that it is given in the first update, and copies nothing. */
  private final class Keeper implements DpOptimizer {
    private @Nullable PrivatizedGradient gradient;
    private List<NDArray> arrays = List.of();
    private final List<NDArray> views = new ArrayList<>();
    private final List<float[]> released = new ArrayList<>();
    private long updates;

    @Override
    public void update(PrivatizedGradient given) {
      if (updates++ > 0) {
        return;
      }
      gradient = given;
      arrays = given.gradients();
      for (NDArray array : arrays) {
        NDArray view = array.reshape(-1);
        view.attach(own);
        views.add(view);
        released.add(view.toFloatArray());
      }
    }

    @Override
    public OptimizerState state() {
      return new OptimizerState(
          "Keeper", updates, Map.of(), updates == 0 ? Map.of() : Map.of("kept", views));
    }

    @Override
    public void close() {}
  }
}
