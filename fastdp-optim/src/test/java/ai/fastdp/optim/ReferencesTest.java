/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.tracker.Tracker;
import ai.fastdp.mechanism.NoiselessGradient;
import ai.fastdp.optimizer.DpOptimizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The optimizers that DJL has not got for PyTorch, against scalar references and torch.optim. */
@Tag("slow")
final class ReferencesTest {
  private static final int UPDATES = 100;
  private static final double BETA1 = 0.8f;
  private static final double BETA2 = 0.95f;
  private static final double EPSILON = 1e-3f;
  private static final double DECAY = 0.05f;

  private NDManager manager = NDManager.newBaseManager("PyTorch");

  @BeforeEach
  void open() {
    manager = NDManager.newBaseManager("PyTorch");
  }

  @AfterEach
  void close() {
    manager.close();
  }

  /** Makes the reference of one parameter. */
  private interface ReferenceOf {
    ScalarReference make(Parameter parameter);
  }

  private static boolean isAdapted(Parameter parameter) {
    return parameter.getType() == Parameter.Type.WEIGHT;
  }

  private static Arguments rmsprop(boolean centered, float momentum) {
    return Arguments.of(
        "rmsprop, centered " + centered + ", momentum " + momentum,
        DpRmsprop.builder()
            .optLearningRateTracker(Fixture.falling())
            .optRho(0.95f)
            .optCentered(centered)
            .optMomentum(momentum)
            .optEpsilon(1e-3f)
            .optWeightDecay(0.05f)
            .build(),
        (ReferenceOf) p -> ScalarReference.rmsprop(BETA2, momentum, centered, EPSILON, DECAY));
  }

  private static DpLamb.Builder lamb() {
    return DpLamb.builder()
        .optLearningRateTracker(Fixture.falling())
        .optBeta1(0.8f)
        .optBeta2(0.95f)
        .optEpsilon(1e-3f)
        .optWeightDecay(0.05f);
  }

  private static ScalarReference lamb(double least, double largest, boolean adapted) {
    return ScalarReference.lamb(BETA1, BETA2, EPSILON, DECAY, least, largest, adapted);
  }

  static Stream<Arguments> pairs() {
    Predicate<Parameter> everything = p -> true;
    double none = Double.POSITIVE_INFINITY;
    return Stream.of(
        Arguments.of(
            "nesterov",
            DpSgd.builder()
                .setLearningRateTracker(Fixture.falling())
                .optMomentum(0.8f)
                .optNesterov(true)
                .optWeightDecay(0.05f)
                .build(),
            (ReferenceOf) p -> ScalarReference.nesterov(BETA1, DECAY)),
        Arguments.of(
            "adagrad",
            DpAdagrad.builder()
                .optLearningRateTracker(Fixture.falling())
                .optEpsilon(1e-3f)
                .optWeightDecay(0.05f)
                .build(),
            (ReferenceOf) p -> ScalarReference.adagrad(EPSILON, DECAY)),
        rmsprop(false, 0),
        rmsprop(false, 0.8f),
        rmsprop(true, 0),
        rmsprop(true, 0.8f),
        Arguments.of("lamb", lamb().build(), (ReferenceOf) p -> lamb(0, none, isAdapted(p))),
        Arguments.of(
            "lamb without decay, everything adapted",
            lamb().optWeightDecay(0).optAdapted(everything).build(),
            (ReferenceOf) p -> ScalarReference.lamb(BETA1, BETA2, EPSILON, 0, 0, none, true)),
        Arguments.of(
            "lamb, nothing adapted",
            lamb().optAdapted(everything.negate()).build(),
            (ReferenceOf) p -> lamb(0, none, false)),
        Arguments.of(
            "lamb with bounds",
            lamb().optWeightNormBounds(1.2f, 1.5f).build(),
            (ReferenceOf) p -> lamb(1.2f, 1.5f, isAdapted(p))),
        Arguments.of(
            "adam, noise correction",
            DpAdam.builder()
                .optLearningRateTracker(Fixture.falling())
                .optBeta1(0.8f)
                .optBeta2(0.95f)
                .optWeightDecay(0.05f)
                .optNoiseCorrection(0.05f)
                .build(),
            (ReferenceOf) p -> ScalarReference.noiseCorrected(BETA1, BETA2, 0.05f, DECAY, false)),
        Arguments.of(
            "adamw, noise correction",
            DpAdamW.builder()
                .optLearningRateTracker(Fixture.falling())
                .optBeta1(0.8f)
                .optBeta2(0.95f)
                .optWeightDecay(0.05f)
                .optNoiseCorrection(0.05f)
                .build(),
            (ReferenceOf) p -> ScalarReference.noiseCorrected(BETA1, BETA2, 0.05f, DECAY, true)));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("pairs")
  void update_hundredTimes_equalsScalarReference(
      String name, DpOptimizer optimizer, ReferenceOf references) {
    List<Parameter> parameters = Fixture.parameters(manager);
    // More than a kernel works on at a time, and a piece that is shorter than the others.
    parameters.add(
        1,
        Fixture.parameter(
            manager, "large", Parameter.Type.WEIGHT, new Shape(2, 70_001), Precision.FLOAT32));
    List<ScalarReference> scalar = parameters.stream().map(references::make).toList();
    List<double[]> expected = new ArrayList<>();
    for (float[] values : Fixture.values(parameters)) {
      double[] wide = new double[values.length];
      for (int j = 0; j < wide.length; j++) {
        wide[j] = values[j];
      }
      expected.add(wide);
    }
    Random random = new Random(7);
    Tracker rate = Fixture.falling();
    for (int t = 1; t <= UPDATES; t++) {
      try (NDManager step = manager.newSubManager()) {
        List<NDArray> gradients = Fixture.arrays(step, random, parameters);
        List<float[]> given = gradients.stream().map(NDArray::toFloatArray).toList();
        double deviation = 0.6 + 0.002 * t;
        optimizer.update(NoiselessGradient.withNoise(parameters, gradients, deviation));
        for (int k = 0; k < parameters.size(); k++) {
          assertThat(gradients.get(k).toFloatArray())
              .as("the gradient itself")
              .isEqualTo(given.get(k));
          scalar.get(k).update(expected.get(k), given.get(k), t, rate.getNewValue(t), deviation);
        }
      }
    }
    List<float[]> actual = Fixture.values(parameters);
    for (int k = 0; k < actual.size(); k++) {
      for (int j = 0; j < actual.get(k).length; j++) {
        double value = expected.get(k)[j];
        if (!(Math.abs(actual.get(k)[j] - value) <= 5e-5 * Math.max(0.1, Math.abs(value)))) {
          assertThat((double) actual.get(k)[j])
              .as("%s, parameter %d, element %d", name, k, j)
              .isEqualTo(value);
        }
      }
    }
    optimizer.close();
  }

  /**
   * The last weights of {@code torch.optim} 2.7.1 in float64 after 100 updates of (0.5, -0.25, 1.5,
   * -2) with gradients sin(t (j + 1)) + 0.1 (j - 1), weight decay 0.05. The arguments of
   * torch.optim stand beside each; "falling" sets lr to 0.05 * 0.97**t before update t.
   */
  static Stream<Arguments> torch() {
    return Stream.of(
        Arguments.of(
            "SGD(lr=0.02, momentum=0.9, nesterov=True)",
            DpSgd.builder()
                .setLearningRate(0.02f)
                .optMomentum(0.9f)
                .optNesterov(true)
                .optWeightDecay(0.05f)
                .build(),
            new double[] {1.40499648375, -0.100744451213, -0.698497791177, -3.22806078427}),
        Arguments.of(
            "SGD(lr=falling, momentum=0.9, nesterov=True)",
            DpSgd.builder()
                .setLearningRateTracker(Fixture.falling())
                .optMomentum(0.9f)
                .optNesterov(true)
                .optWeightDecay(0.05f)
                .build(),
            new double[] {1.0087405766, -0.203487589826, -0.188569646762, -2.90525998783}),
        Arguments.of(
            "Adagrad(lr=0.05, eps=1e-3)",
            DpAdagrad.builder()
                .optLearningRate(0.05f)
                .optEpsilon(1e-3f)
                .optWeightDecay(0.05f)
                .build(),
            new double[] {0.537380478362, -0.249952355163, 1.25611657935, -2.08419808168}),
        torchRmsprop(
            false, 0, new double[] {0.5802142505, -0.234647010147, 1.24172648103, -2.11033312012}),
        torchRmsprop(
            false,
            0.8f,
            new double[] {0.805420744102, -0.212426462685, 0.376464542713, -2.50741644387}),
        torchRmsprop(
            true, 0, new double[] {0.582440977032, -0.235633367833, 1.21962259438, -2.11683359482}),
        torchRmsprop(
            true,
            0.8f,
            new double[] {0.81522266952, -0.215837876241, 0.299819020017, -2.53300303464}));
  }

  private static Arguments torchRmsprop(boolean centered, float momentum, double[] expected) {
    return Arguments.of(
        "RMSprop(lr=0.01, alpha=0.9, eps=1e-3, momentum="
            + momentum
            + ", centered="
            + centered
            + ")",
        DpRmsprop.builder()
            .optLearningRate(0.01f)
            .optRho(0.9f)
            .optEpsilon(1e-3f)
            .optWeightDecay(0.05f)
            .optCentered(centered)
            .optMomentum(momentum)
            .build(),
        expected);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("torch")
  void update_hundredTimes_equalsTorch(String name, DpOptimizer optimizer, double[] expected) {
    Parameter parameter = Parameter.builder().setName("w").setType(Parameter.Type.WEIGHT).build();
    parameter.setArray(manager.create(new float[] {0.5f, -0.25f, 1.5f, -2}));
    for (int t = 1; t <= UPDATES; t++) {
      float[] gradient = new float[4];
      for (int j = 0; j < 4; j++) {
        gradient[j] = (float) (Math.sin(t * (j + 1)) + 0.1 * (j - 1));
      }
      optimizer.update(NoiselessGradient.of(List.of(parameter), List.of(manager.create(gradient))));
    }
    float[] actual = parameter.getArray().toFloatArray();
    for (int j = 0; j < 4; j++) {
      assertThat((double) actual[j]).isCloseTo(expected[j], offset(2e-5));
    }
    optimizer.close();
  }

  @Test
  void lamb_weightsOfZero_takeAdamsStep() {
    Parameter parameter = Parameter.builder().setName("w").setType(Parameter.Type.WEIGHT).build();
    parameter.setArray(manager.create(new float[] {0, 0}));
    DpOptimizer optimizer = DpLamb.builder().optLearningRate(0.1f).build();
    optimizer.update(
        NoiselessGradient.of(List.of(parameter), List.of(manager.create(new float[] {0.3f, -2}))));
    assertThat(parameter.getArray().toFloatArray()[0]).isCloseTo(-0.1f, offset(1e-5f));
    assertThat(parameter.getArray().toFloatArray()[1]).isCloseTo(0.1f, offset(1e-5f));
    optimizer.close();
  }

  @Test
  void lamb_gradientOfZero_staysFinite() {
    Parameter parameter = Parameter.builder().setName("w").setType(Parameter.Type.WEIGHT).build();
    parameter.setArray(manager.create(new float[] {1, 2}));
    DpOptimizer optimizer = DpLamb.builder().optWeightDecay(0).build();
    optimizer.update(
        NoiselessGradient.of(List.of(parameter), List.of(manager.create(new float[] {0, 0}))));
    assertThat(parameter.getArray().toFloatArray()).containsExactly(1, 2);
    optimizer.close();
  }

  @Test
  void rmsprop_constantGradientCentered_staysFinite() {
    // The variance is zero but for rounding, and rounding may leave it below zero.
    List<Parameter> parameters = Fixture.parameters(manager);
    List<NDArray> gradients = Fixture.arrays(manager, new Random(3), parameters);
    DpOptimizer optimizer = DpRmsprop.builder().optCentered(true).optRho(0.3f).build();
    for (int t = 0; t < 60; t++) {
      optimizer.update(NoiselessGradient.of(parameters, gradients));
    }
    for (float[] values : Fixture.values(parameters)) {
      for (float value : values) {
        assertThat(value).isFinite();
      }
    }
    optimizer.close();
  }

  @Test
  void lamb_boundsOutOfOrder_areRefused() {
    for (float[] bounds :
        new float[][] {{Float.NaN, 1}, {-1, 1}, {1, 1}, {2, 1}, {0, Float.NaN}, {0, 0}}) {
      DpLamb.Builder builder = DpLamb.builder().optWeightNormBounds(bounds[0], bounds[1]);
      assertThatThrownBy(builder::build)
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("weight norm must be");
    }
  }
}
