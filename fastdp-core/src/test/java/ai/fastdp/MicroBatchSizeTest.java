/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.fastdp.internal.step.MicroBatchSize;
import ai.fastdp.mechanism.PredictableNoise;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.sampling.PrivateBatch;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The size of micro-batches follows from a bound on memory and changes nothing else. */
final class MicroBatchSizeTest {
  @SuppressWarnings("ArrayRecordComponent") // Compared nowhere.
  private record Outcome(List<Integer> sizes, float[] weights, long steps) {}

  private static Outcome train(PerformanceOptions options, boolean ahead) throws Exception {
    PrivacyPlan plan = SmallRun.plan(4).build();
    List<Integer> sizes = new ArrayList<>();
    ExecutorService loading = Executors.newFixedThreadPool(2);
    try (Model model = SmallRun.model()) {
      PrivacyEngineBuilder engine =
          PrivacyEngine.builder(plan)
              .optLoss(new SquaredError())
              .optSelfCheck(false)
              .optPerformance(options)
              .predictable(PredictableNoise.seeded(3), step -> new Random(100 + step));
      if (ahead) {
        engine.optExecutorService(loading);
      }
      try (PrivateTrainer trainer = engine.build().attach(model, new HeavyBall())) {
        for (PrivateBatch batch : trainer.batches(SmallRun.dataset(trainer.getManager()))) {
          sizes.add(batch.getSize());
          trainer.trainBatch(batch);
          trainer.step();
          batch.close();
        }
        float[] weights = new float[39];
        int next = 0;
        for (int bits : SmallRun.bits(model)) {
          weights[next++] = Float.intBitsToFloat(bits);
        }
        return new Outcome(sizes, weights, trainer.stepsTaken());
      }
    } finally {
      loading.shutdown();
    }
  }

  @Test
  void batches_boundOnMemory_sizeFollowsFromWhatOneSampleTakes() throws Exception {
    // One sample: data 5, label 3, the layers' outputs and what tanh makes: far below 64 KiB.
    Outcome all = train(PerformanceOptions.defaults().withMicroBatchBytes(1 << 16), false);
    Outcome whole = train(PerformanceOptions.defaults().withPhysicalBatchSize(1000), false);
    // The first micro-batch has one sample and shows that everything fits.
    assertThat(all.sizes().get(0)).isEqualTo(1);
    assertThat(all.sizes()).hasSize(whole.sizes().size() + 1);
    assertThat(all.sizes().get(1)).isEqualTo(whole.sizes().get(0) - 1);
    assertThat(all.sizes().subList(2, all.sizes().size()))
        .isEqualTo(whole.sizes().subList(1, whole.sizes().size()));
    assertSameToRounding(all, whole);
  }

  @ParameterizedTest(name = "prefetching {0}")
  @ValueSource(booleans = {false, true})
  void batches_boundOnMemoryAndNumber_keepBoth(boolean ahead) throws Exception {
    Outcome bounded =
        train(
            PerformanceOptions.defaults().withMicroBatchBytes(1 << 16).withPhysicalBatchSize(3),
            ahead);
    assertThat(bounded.sizes()).allMatch(size -> size <= 3).contains(3);
    assertSameToRounding(
        bounded, train(PerformanceOptions.defaults().withPhysicalBatchSize(1000), false));
  }

  @Test
  void size_anyBytesPerSample_isTheMostThatFits() {
    PerformanceOptions options = PerformanceOptions.defaults().withMicroBatchBytes(1_000_000);
    MicroBatchSize size =
        new MicroBatchSize(options.physicalBatchSize(), options.microBatchBytes());
    assertThat(size.getAsInt()).isEqualTo(1);
    size.observe(100_000, 1);
    assertThat(size.getAsInt()).isEqualTo(10);
    // A cheaper batch does not raise it, a dearer one lowers it.
    size.observe(100_000, 10);
    assertThat(size.getAsInt()).isEqualTo(10);
    size.observe(2_000_001, 10);
    assertThat(size.getAsInt()).isEqualTo(4);
    size.observe(5_000_000, 1);
    assertThat(size.getAsInt()).isEqualTo(1);
    MicroBatchSize fixed = new MicroBatchSize(64, PerformanceOptions.ANY_SIZE);
    fixed.observe(1L << 40, 1);
    assertThat(fixed.getAsInt()).isEqualTo(64);
    assertThatThrownBy(() -> PerformanceOptions.defaults().withMicroBatchBytes(1))
        .isInstanceOf(IllegalArgumentException.class);
  }

  private static void assertSameToRounding(Outcome actual, Outcome expected) {
    assertThat(actual.steps()).isEqualTo(expected.steps());
    assertThat(actual.sizes().stream().collect(Collectors.summingInt(n -> n)))
        .isEqualTo(expected.sizes().stream().collect(Collectors.summingInt(n -> n)));
    for (int j = 0; j < expected.weights().length; j++) {
      assertThat(actual.weights()[j]).isCloseTo(expected.weights()[j], within(1e-6f));
    }
  }
}
