/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import ai.fastdp.mechanism.NoiselessGradient;
import ai.fastdp.mechanism.PrivatizedGradient;
import ai.fastdp.optimizer.DpOptimizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The optimizers against DJL's own, fed the same gradients without noise. */
@Tag("slow")
final class OptimizersTest {
  private static final int UPDATES = 100;

  private NDManager manager = NDManager.newBaseManager("PyTorch");

  @BeforeEach
  void open() {
    manager = NDManager.newBaseManager("PyTorch");
  }

  @AfterEach
  void close() {
    manager.close();
  }

  static Stream<Arguments> pairs() {
    return Stream.of(
        Arguments.of(
            "sgd",
            DpSgd.builder().setLearningRate(0.1f).build(),
            Optimizer.sgd().setLearningRateTracker(Tracker.fixed(0.1f)).build()),
        Arguments.of(
            "sgd, decay",
            DpSgd.builder().setLearningRate(0.1f).optWeightDecay(0.05f).build(),
            Optimizer.sgd()
                .setLearningRateTracker(Tracker.fixed(0.1f))
                .optWeightDecays(0.05f)
                .build()),
        Arguments.of(
            "sgd, momentum",
            DpSgd.builder().setLearningRate(0.02f).optMomentum(0.9f).build(),
            Optimizer.sgd().setLearningRateTracker(Tracker.fixed(0.02f)).optMomentum(0.9f).build()),
        Arguments.of(
            "sgd, momentum, decay, falling rate",
            DpSgd.builder()
                .setLearningRateTracker(Fixture.falling())
                .optMomentum(0.8f)
                .optWeightDecay(0.05f)
                .build(),
            Optimizer.sgd()
                .setLearningRateTracker(Fixture.falling())
                .optMomentum(0.8f)
                .optWeightDecays(0.05f)
                .build()),
        Arguments.of("adam", DpAdam.builder().build(), Optimizer.adam().build()),
        Arguments.of(
            "adam, everything set",
            DpAdam.builder()
                .optLearningRateTracker(Fixture.falling())
                .optBeta1(0.8f)
                .optBeta2(0.95f)
                .optEpsilon(1e-3f)
                .optWeightDecay(0.05f)
                .build(),
            Optimizer.adam()
                .optLearningRateTracker(Fixture.falling())
                .optBeta1(0.8f)
                .optBeta2(0.95f)
                .optEpsilon(1e-3f)
                .optWeightDecays(0.05f)
                .build()),
        Arguments.of("adamw", DpAdamW.builder().build(), Optimizer.adamW().build()),
        Arguments.of(
            "adamw, everything set",
            DpAdamW.builder()
                .optLearningRateTracker(Fixture.falling())
                .optBeta1(0.8f)
                .optBeta2(0.95f)
                .optEpsilon(1e-3f)
                .optWeightDecay(0.05f)
                .build(),
            Optimizer.adamW()
                .optLearningRateTracker(Fixture.falling())
                .optBeta1(0.8f)
                .optBeta2(0.95f)
                .optEpsilon(1e-3f)
                .optWeightDecays(0.05f)
                .build()));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("pairs")
  void update_hundredTimes_equalsDjl(String name, DpOptimizer optimizer, Optimizer reference) {
    List<Parameter> parameters = Fixture.parameters(manager);
    List<NDArray> copies = new ArrayList<>();
    parameters.forEach(p -> copies.add(p.getArray().duplicate()));
    Random random = new Random(7);
    for (int step = 0; step < UPDATES; step++) {
      List<NDArray> gradients = Fixture.arrays(manager, random, parameters);
      float[] given = gradients.get(0).toFloatArray();
      optimizer.update(NoiselessGradient.of(parameters, gradients));
      assertThat(gradients.get(0).toFloatArray()).as("the gradient itself").containsExactly(given);
      for (int k = 0; k < parameters.size(); k++) {
        reference.update("p" + k, copies.get(k), gradients.get(k).duplicate());
      }
      if (step == 0 || step == UPDATES - 1) {
        requireEqual(name, parameters, copies);
      }
    }
    optimizer.close();
  }

  private static void requireEqual(String name, List<Parameter> parameters, List<NDArray> copies) {
    for (int k = 0; k < copies.size(); k++) {
      float[] actual = parameters.get(k).getArray().toFloatArray();
      float[] expected = copies.get(k).toFloatArray();
      for (int j = 0; j < expected.length; j++) {
        assertThat((double) actual[j])
            .as("%s, parameter %d, element %d", name, k, j)
            .isCloseTo(
                expected[j],
                org.assertj.core.data.Offset.offset(2e-5 * Math.max(0.1, Math.abs(expected[j]))));
      }
    }
  }

  @Test
  void update_anyOptimizer_movesTheWeights() {
    // Otherwise the comparison above could pass with weights that never move.
    for (Supplier<DpOptimizer> form : Fixture.all().values()) {
      DpOptimizer optimizer = form.get();
      List<Parameter> parameters = Fixture.parameters(manager);
      float[] before = parameters.get(0).getArray().toFloatArray();
      optimizer.update(
          NoiselessGradient.of(parameters, Fixture.arrays(manager, new Random(1), parameters)));
      float[] after = parameters.get(0).getArray().toFloatArray();
      for (int j = 0; j < before.length; j++) {
        assertThat(Math.abs(after[j] - before[j])).isGreaterThan(1e-5f);
      }
      optimizer.close();
    }
  }

  @Test
  void update_otherParameters_isRefused() {
    DpOptimizer optimizer = DpSgd.builder().setLearningRate(0.1f).build();
    List<Parameter> first = Fixture.parameters(manager);
    optimizer.update(NoiselessGradient.of(first, Fixture.arrays(manager, new Random(1), first)));
    List<Parameter> second = Fixture.parameters(manager);
    PrivatizedGradient other =
        NoiselessGradient.of(second, Fixture.arrays(manager, new Random(1), second));
    assertThatThrownBy(() -> optimizer.update(other))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("one optimizer for each trainer");
    optimizer.close();
  }

  @Test
  void tracker_eachUpdate_isAskedOnceFromOne() {
    List<Integer> asked = new ArrayList<>();
    Tracker tracker =
        number -> {
          asked.add(number);
          return 0.1f;
        };
    DpOptimizer optimizer = DpAdam.builder().optLearningRateTracker(tracker).build();
    List<Parameter> parameters = Fixture.parameters(manager);
    for (int i = 0; i < 3; i++) {
      optimizer.update(
          NoiselessGradient.of(parameters, Fixture.arrays(manager, new Random(1), parameters)));
    }
    assertThat(asked).containsExactly(1, 2, 3);
    optimizer.close();
  }

  @Test
  void tracker_rateNotFinite_isRefusedBeforeTheUpdate() {
    for (DpOptimizer optimizer :
        List.of(
            DpSgd.builder().setLearningRateTracker(number -> Float.NaN).build(),
            DpAdam.builder().optLearningRateTracker(number -> Float.NaN).build(),
            DpAdamW.builder().optLearningRateTracker(number -> Float.NaN).build(),
            DpLamb.builder().optLearningRateTracker(number -> Float.NaN).build(),
            DpAdagrad.builder().optLearningRateTracker(number -> Float.NaN).build(),
            DpRmsprop.builder().optLearningRateTracker(number -> Float.NaN).build())) {
      List<Parameter> parameters = Fixture.parameters(manager);
      float[] before = parameters.get(0).getArray().toFloatArray();
      PrivatizedGradient gradient =
          NoiselessGradient.of(parameters, Fixture.arrays(manager, new Random(1), parameters));
      assertThatThrownBy(() -> optimizer.update(gradient))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("learningRate must be finite");
      assertThat(parameters.get(0).getArray().toFloatArray()).containsExactly(before);
      optimizer.close();
    }
  }

  @Test
  void tracker_rateThatWarmsUpFromZero_isAccepted() {
    for (DpOptimizer optimizer :
        List.of(
            DpSgd.builder().setLearningRateTracker(number -> 0.1f * (number - 1)).build(),
            DpSgd.builder()
                .setLearningRateTracker(number -> 0.1f * (number - 1))
                .optMomentum(0.9f)
                .build(),
            DpAdam.builder().optLearningRateTracker(number -> 0.1f * (number - 1)).build())) {
      List<Parameter> parameters = Fixture.parameters(manager);
      float[] before = parameters.get(0).getArray().toFloatArray();
      PrivatizedGradient gradient =
          NoiselessGradient.of(parameters, Fixture.arrays(manager, new Random(1), parameters));
      optimizer.update(gradient);
      assertThat(parameters.get(0).getArray().toFloatArray()).containsExactly(before);
      optimizer.update(gradient);
      for (float value : parameters.get(0).getArray().toFloatArray()) {
        assertThat(value).isFinite();
      }
      assertThat(parameters.get(0).getArray().toFloatArray()).isNotEqualTo(before);
      optimizer.close();
    }
  }

  // ---------------------------------------------------------------- hyperparameters

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, 0, -1, Float.POSITIVE_INFINITY})
  void build_positiveNumberOutOfRange_isRefused(float bad) {
    refused("learningRate", bad, v -> DpSgd.builder().setLearningRate(v).build());
    refused("learningRate", bad, v -> DpAdam.builder().optLearningRate(v).build());
    refused("learningRate", bad, v -> DpAdamW.builder().optLearningRate(v).build());
    refused("learningRate", bad, v -> DpLamb.builder().optLearningRate(v).build());
    refused("learningRate", bad, v -> DpAdagrad.builder().optLearningRate(v).build());
    refused("learningRate", bad, v -> DpRmsprop.builder().optLearningRate(v).build());
    refused("noiseFloor", bad, v -> DpAdam.builder().optNoiseCorrection(v).build());
    refused("noiseFloor", bad, v -> DpAdamW.builder().optNoiseCorrection(v).build());
    refused("epsilon", bad, v -> DpLamb.builder().optEpsilon(v).build());
    refused("epsilon", bad, v -> DpAdagrad.builder().optEpsilon(v).build());
    refused("epsilon", bad, v -> DpRmsprop.builder().optEpsilon(v).build());
    refused("epsilon", bad, v -> DpAdam.builder().optEpsilon(v).build());
    refused("epsilon", bad, v -> DpAdamW.builder().optEpsilon(v).build());
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, -0.1f, 1, Float.POSITIVE_INFINITY})
  void build_decayRateOutOfRange_isRefused(float bad) {
    refused("momentum", bad, v -> DpSgd.builder().setLearningRate(1).optMomentum(v).build());
    refused("momentum", bad, v -> DpRmsprop.builder().optMomentum(v).build());
    refused("rho", bad, v -> DpRmsprop.builder().optRho(v).build());
    refused("beta1", bad, v -> DpLamb.builder().optBeta1(v).build());
    refused("beta2", bad, v -> DpLamb.builder().optBeta2(v).build());
    refused("beta1", bad, v -> DpAdam.builder().optBeta1(v).build());
    refused("beta2", bad, v -> DpAdam.builder().optBeta2(v).build());
    refused("beta1", bad, v -> DpAdamW.builder().optBeta1(v).build());
    refused("beta2", bad, v -> DpAdamW.builder().optBeta2(v).build());
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, -0.1f, Float.POSITIVE_INFINITY})
  void build_weightDecayOutOfRange_isRefused(float bad) {
    refused("weightDecay", bad, v -> DpSgd.builder().setLearningRate(1).optWeightDecay(v).build());
    refused("weightDecay", bad, v -> DpLamb.builder().optWeightDecay(v).build());
    refused("weightDecay", bad, v -> DpAdagrad.builder().optWeightDecay(v).build());
    refused("weightDecay", bad, v -> DpRmsprop.builder().optWeightDecay(v).build());
    refused("weightDecay", bad, v -> DpAdam.builder().optWeightDecay(v).build());
    refused("weightDecay", bad, v -> DpAdamW.builder().optWeightDecay(v).build());
  }

  @Test
  void build_sgdWithoutLearningRate_isRefused() {
    assertThatThrownBy(() -> DpSgd.builder().build())
        .isInstanceOf(NullPointerException.class)
        .hasMessageContaining("learningRate");
  }

  @Test
  void build_nesterovWithoutMomentum_isRefused() {
    assertThatThrownBy(() -> DpSgd.builder().setLearningRate(1).optNesterov(true).build())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("momentum must be > 0");
  }

  private static void refused(String name, float bad, Consumer<Float> build) {
    assertThatThrownBy(() -> build.accept(bad))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(name + " must be")
        .hasMessageContaining("got " + bad);
  }
}
