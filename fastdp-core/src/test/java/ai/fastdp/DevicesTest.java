/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.nn.Parameter;
import ai.djl.training.EasyTrain;
import ai.djl.training.GradientCollector;
import ai.djl.training.dataset.Batch;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.clipping.ClippingStyle;
import ai.fastdp.mechanism.NoiseSource;
import ai.fastdp.mechanism.PredictableNoise;
import ai.fastdp.optimizer.DpOptimizer;
import ai.fastdp.plan.NoiseDistribution;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.sampling.PrivateBatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Training on several devices: the result is that of one. DJL has one CPU, which is named several
 * times here; all its places but the first have copies of the parameters and sums of their own.
 */
@Tag("slow")
class DevicesTest {
  private static final int STEPS = 6;
  private final AtomicLong streams = new AtomicLong();

  private static PrivacyPlan plan(ClippingFunction function, ClippingStyle style) {
    return SmallRun.plan(STEPS).optClipping(function).optStyle(style).build();
  }

  private static PrivacyPlan plan() {
    return plan(ClippingFunction.abadi(), ClippingStyle.allLayer());
  }

  private PrivacyEngineBuilder engine(PrivacyPlan plan, int devices, int physicalBatchSize) {
    NoiseSource seeded = PredictableNoise.seeded(5);
    NoiseSource counted =
        new NoiseSource() {
          @Override
          public Bits stream(long index) {
            streams.incrementAndGet();
            return seeded.stream(index);
          }

          @Override
          public String description() {
            return seeded.description();
          }
        };
    return PrivacyEngine.builder(plan)
        .optLoss(new SquaredError())
        .optPerformance(PerformanceOptions.defaults().withPhysicalBatchSize(physicalBatchSize))
        .optDevices(cpus(devices))
        .predictable(counted, step -> new Random(31 * step));
  }

  private static Device[] cpus(int count) {
    Device[] devices = new Device[count];
    Arrays.fill(devices, Device.cpu());
    return devices;
  }

  private static DpOptimizer optimizer() {
    return DpOptimizer.wrap(
        ai.djl.training.optimizer.Adam.builder()
            .optLearningRateTracker(ai.djl.training.tracker.Tracker.fixed(0.05f))
            .build());
  }

  private static List<Float> values(Model model) {
    List<Float> values = new ArrayList<>();
    for (Parameter parameter : model.getBlock().getParameters().values()) {
      for (float value : parameter.getArray().toFloatArray()) {
        values.add(value);
      }
    }
    return values;
  }

  private static void assertClose(List<Float> actual, List<Float> expected) {
    assertThat(actual).hasSameSizeAs(expected);
    for (int j = 0; j < actual.size(); j++) {
      assertThat(actual.get(j)).isCloseTo(expected.get(j), within(2e-5f));
    }
  }

  static Stream<Arguments> splits() {
    return Stream.of(
        // Unequal shares; devices without a sample; more devices than samples.
        Arguments.of(2, 3, ClippingFunction.abadi(), ClippingStyle.allLayer()),
        Arguments.of(3, 100, ClippingFunction.automatic(), ClippingStyle.layerWise()),
        Arguments.of(4, 3, ClippingFunction.adaptiveQuantile(0.5, 2), ClippingStyle.allLayer()),
        Arguments.of(20, 100, ClippingFunction.abadi(), ClippingStyle.paramWise()));
  }

  @ParameterizedTest(name = "{0} devices, physical batches of {1}, {2}, {3}")
  @MethodSource("splits")
  void weights_onSeveralDevices_equalThoseOfOne(
      int devices, int physicalBatchSize, ClippingFunction function, ClippingStyle style)
      throws Exception {
    PrivacyPlan plan = plan(function, style);
    List<List<Float>> weights = new ArrayList<>();
    List<List<Float>> outputs = new ArrayList<>();
    List<Double> clipNorms = new ArrayList<>();
    List<Double> spent = new ArrayList<>();
    List<Long> drawn = new ArrayList<>();
    for (int count : new int[] {1, devices}) {
      streams.set(0);
      try (Model model = SmallRun.model();
          PrivateTrainer trainer =
              engine(plan, count, physicalBatchSize).build().attach(model, optimizer())) {
        SmallRun.train(trainer, STEPS);
        assertThat(trainer.getDevices()).hasSize(count);
        weights.add(values(model));
        clipNorms.add(trainer.clippingState().clipNorm());
        spent.add(trainer.spent().upper().orElseThrow());
        NDArray input = OneStep.normal(trainer.getManager(), 9, 1, 4, 5);
        List<Float> output = new ArrayList<>();
        for (float value : trainer.evaluate(new NDList(input)).head().toFloatArray()) {
          output.add(value);
        }
        outputs.add(output);
      }
      drawn.add(streams.get());
    }
    assertClose(weights.get(1), weights.get(0));
    assertClose(outputs.get(1), outputs.get(0));
    assertThat(clipNorms.get(1)).isEqualTo(clipNorms.get(0));
    assertThat(spent.get(1)).isEqualTo(spent.get(0));
    assertThat(drawn.get(1)).as("streams of noise").isEqualTo(drawn.get(0));
  }

  @Test
  void discreteNoise_onSeveralDevices_isDrawnOnceAndReleasesTheIntegersOfOne() throws Exception {
    PrivacyPlan plan =
        SmallRun.plan(STEPS)
            .optClipping(ClippingFunction.abadi())
            .optNoise(NoiseDistribution.DISCRETE_GAUSSIAN)
            .build();
    List<List<double[]>> released = new ArrayList<>();
    List<Long> drawn = new ArrayList<>();
    for (int count : new int[] {1, 3}) {
      streams.set(0);
      Flattening optimizer = new Flattening();
      try (Model model = SmallRun.model();
          PrivateTrainer trainer = engine(plan, count, 5).build().attach(model, optimizer)) {
        SmallRun.train(trainer, STEPS);
        assertThat(trainer.getDevices()).hasSize(count);
      }
      released.add(optimizer.steps());
      drawn.add(streams.get());
    }
    assertThat(drawn.get(1)).as("streams of noise").isEqualTo(drawn.get(0)).isEqualTo(STEPS);
    int size = released.get(0).get(0).length;
    double spacing = DiscreteNoiseTest.spacing(size, plan.sensitivity());
    for (int step = 0; step < STEPS; step++) {
      for (int j = 0; j < size; j++) {
        double one = released.get(0).get(step)[j] * plan.expectedBatchSize() / spacing;
        double several = released.get(1).get(step)[j] * plan.expectedBatchSize() / spacing;
        assertThat(several).as("on the grid").isEqualTo(Math.rint(several));
        // The order of float32 additions may move a sum over a tie, the noise is the same.
        assertThat(several).as("step %d, %d", step, j).isCloseTo(one, within(1.0));
      }
    }
  }

  @Test
  void djlsLoop_onSeveralDevices_equalsOne() throws Exception {
    List<List<Float>> weights = new ArrayList<>();
    ExecutorService executor = Executors.newFixedThreadPool(3);
    try {
      for (int count : new int[] {1, 3}) {
        try (Model model = SmallRun.model();
            PrivateTrainer trainer =
                engine(plan(), count, 5)
                    .optExecutorService(executor)
                    .build()
                    .attach(model, optimizer())) {
          for (PrivateBatch batch : trainer.batches(SmallRun.dataset(trainer.getManager()))) {
            EasyTrain.trainBatch(trainer, batch);
            trainer.step();
            batch.close();
          }
          assertThat(trainer.getExecutorService().isPresent()).isEqualTo(count == 1);
          weights.add(values(model));
        }
      }
    } finally {
      executor.shutdown();
    }
    assertClose(weights.get(1), weights.get(0));
  }

  @Test
  void shares_ofABatch_haveEverySampleOnce() throws Exception {
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = engine(plan(), 3, 100).build().attach(model, optimizer())) {
      for (PrivateBatch batch : trainer.batches(SmallRun.dataset(trainer.getManager()))) {
        if (!batch.isEmpty()) {
          Batch[] shares = batch.split(trainer.getDevices(), false);
          int least = Integer.MAX_VALUE;
          int most = 0;
          List<Float> rows = new ArrayList<>();
          for (Batch share : shares) {
            least = Math.min(least, share.getSize());
            most = Math.max(most, share.getSize());
            assertThat(share.getLabels().head().getShape().get(0)).isEqualTo(share.getSize());
            for (float value : share.getData().head().toFloatArray()) {
              rows.add(value);
            }
          }
          List<Float> whole = new ArrayList<>();
          for (float value : batch.getData().head().toFloatArray()) {
            whole.add(value);
          }
          assertThat(rows).isEqualTo(whole);
          assertThat(most - least).isLessThanOrEqualTo(1);
          assertThat(shares.length).isEqualTo(Math.min(3, batch.getSize()));
        }
        trainer.trainBatch(batch);
        trainer.step();
        batch.close();
      }
    }
  }

  @Test
  void step_withAShareLeft_isRefused() throws Exception {
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = engine(plan(), 2, 100).build().attach(model, optimizer())) {
      PrivateBatch batch =
          trainer.batches(SmallRun.dataset(trainer.getManager())).iterator().next();
      Batch first = batch.split(trainer.getDevices(), false)[0];
      train(trainer, first);
      assertThatThrownBy(trainer::step).hasMessageContaining("must be trained before step()");
      assertThatThrownBy(() -> train(trainer, first)).hasMessageContaining("trained once");
      assertThatThrownBy(() -> trainer.trainBatch(batch)).hasMessageContaining("trained once");
      assertThatThrownBy(() -> train(trainer, batch)).hasMessageContaining("drawn by Poisson");
      assertThat(trainer.stepsTaken()).isZero();
    }
  }

  @Test
  void abandonedShares_leaveNothingBehind() throws Exception {
    List<List<Float>> weights = new ArrayList<>();
    for (boolean abandoned : new boolean[] {false, true}) {
      try (Model model = SmallRun.model();
          PrivateTrainer trainer = engine(plan(), 2, 100).build().attach(model, optimizer())) {
        if (abandoned) {
          PrivateBatch batch =
              trainer.batches(SmallRun.dataset(trainer.getManager())).iterator().next();
          train(trainer, batch.split(trainer.getDevices(), false)[1]);
        }
        SmallRun.train(trainer, STEPS);
        weights.add(values(model));
      }
    }
    assertThat(weights.get(1)).isEqualTo(weights.get(0));
  }

  private static void train(PrivateTrainer trainer, Batch share) {
    try (GradientCollector collector = trainer.newGradientCollector()) {
      NDList outputs = trainer.forward(share.getData(), share.getLabels());
      collector.backward(trainer.getLoss().evaluate(share.getLabels(), outputs));
    }
  }

  @Test
  void weights_changedByTheUserBetweenSteps_reachAllDevices() throws Exception {
    List<List<Float>> weights = new ArrayList<>();
    for (int count : new int[] {1, 3}) {
      try (Model model = SmallRun.model();
          PrivateTrainer trainer = engine(plan(), count, 100).build().attach(model, optimizer())) {
        Set<Long> changed = new HashSet<>();
        SmallRun.train(
            trainer,
            STEPS,
            own -> {
              if (own.stepsTaken() == 3 && changed.add(3L)) {
                NDArray weight = model.getBlock().getParameters().get(0).getValue().getArray();
                float[] values = new float[Math.toIntExact(weight.size())];
                Arrays.fill(values, 0.1f);
                weight.stopGradient().set(values);
              }
            });
        weights.add(values(model));
      }
    }
    assertClose(weights.get(1), weights.get(0));
  }

  @Test
  void optDevices_firstIsNotTheModels_isRefused() {
    try (Model model = SmallRun.model()) {
      PrivacyEngine engine =
          PrivacyEngine.builder(plan()).optDevices(Device.gpu(0), Device.gpu(1)).build();
      assertThatThrownBy(() -> engine.attach(model, optimizer()))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("the first device must be the model's, cpu(), got gpu(0)");
    }
    assertThatThrownBy(() -> PrivacyEngine.builder(plan()).optDevices())
        .hasMessageContaining("at least one");
    assertThatThrownBy(
            () -> PrivacyEngine.builder(plan()).optDevices(cpus(2)).optSampleBySample("a").build())
        .hasMessageContaining("devices must be one where blocks run sample by sample, got 2");
  }
}
