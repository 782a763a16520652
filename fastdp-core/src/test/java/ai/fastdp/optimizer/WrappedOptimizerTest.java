/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optimizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.initializer.NormalInitializer;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.ParameterTracker;
import ai.djl.training.tracker.Tracker;
import ai.fastdp.CapturingOptimizer;
import ai.fastdp.mechanism.NoiselessGradient;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** DJL optimizers behind {@link DpOptimizer#wrap}. */
final class WrappedOptimizerTest {
  private NDManager manager = NDManager.newBaseManager("PyTorch");

  @BeforeEach
  void open() {
    manager = NDManager.newBaseManager("PyTorch");
  }

  @AfterEach
  void close() {
    manager.close();
  }

  private static Tracker falling() {
    return Tracker.factor().setBaseValue(0.05f).setFactor(0.97f).optMaxUpdates(1000).build();
  }

  static Stream<Arguments> optimizers() {
    return Stream.of(
        form("sgd", () -> Optimizer.sgd().setLearningRateTracker(falling()).build()),
        form(
            "sgd with everything",
            () ->
                Optimizer.sgd()
                    .setLearningRateTracker(falling())
                    .optMomentum(0.9f)
                    .optWeightDecays(0.05f)
                    .optClipGrad(0.5f)
                    .setRescaleGrad(0.7f)
                    .optBeginNumUpdate(3)
                    .build()),
        form("adam", () -> Optimizer.adam().build()),
        form(
            "adam with everything",
            () ->
                Optimizer.adam()
                    .optLearningRateTracker(falling())
                    .optWeightDecays(0.05f)
                    .optClipGrad(0.5f)
                    .setRescaleGrad(0.7f)
                    .build()),
        form("adamw", () -> Optimizer.adamW().optLearningRateTracker(falling()).build()),
        form("one of one's own", () -> new SignDescent(new SignDescent.Builder())));
  }

  private static Arguments form(String name, Supplier<Optimizer> supplier) {
    return Arguments.of(name, supplier);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("optimizers")
  void update_hundredTimes_isTheOptimizerItself(String name, Supplier<Optimizer> form) {
    for (DataType type : List.of(DataType.FLOAT32, DataType.FLOAT16)) {
      List<Parameter> parameters = parameters(type);
      List<NDArray> copies = new ArrayList<>();
      parameters.forEach(p -> copies.add(p.getArray().toType(DataType.FLOAT32, true)));
      List<NDArray> before = parameters.stream().map(p -> p.getArray().duplicate()).toList();
      Optimizer reference = form.get();
      DpOptimizer optimizer = DpOptimizer.wrap(form.get());
      Random random = new Random(7);
      for (int t = 0; t < 100; t++) {
        List<NDArray> gradients = gradients(random, parameters);
        float[] given = gradients.get(0).toFloatArray();
        optimizer.update(NoiselessGradient.of(parameters, gradients));
        assertThat(gradients.get(0).toFloatArray()).as("the gradient itself").isEqualTo(given);
        for (int k = 0; k < copies.size(); k++) {
          reference.update("p" + k, copies.get(k), gradients.get(k).duplicate());
        }
      }
      for (int k = 0; k < copies.size(); k++) {
        NDArray array = parameters.get(k).getArray();
        assertThat(array.getDataType()).isEqualTo(type);
        assertThat(array).as("%s, %s", name, type).isEqualTo(copies.get(k).toType(type, true));
        assertThat(array).isNotEqualTo(before.get(k));
      }
      optimizer.close();
    }
  }

  @Test
  void update_parameterTracker_isAskedByParameterId() {
    Set<String> asked = new LinkedHashSet<>();
    ParameterTracker tracker =
        (id, number) -> {
          asked.add(id);
          return 0.1f;
        };
    List<Parameter> parameters = parameters(DataType.FLOAT32);
    try (DpOptimizer optimizer =
        DpOptimizer.wrap(Optimizer.adam().optLearningRateTracker(tracker).build())) {
      optimizer.update(NoiselessGradient.of(parameters, gradients(new Random(1), parameters)));
    }
    assertThat(asked).containsExactlyElementsOf(parameters.stream().map(Parameter::getId).toList());
  }

  @Test
  void wrap_optimizersThatDjlHasNotGotForPyTorch_areRefusedAtOnce() {
    List<Optimizer> missing =
        List.of(
            Optimizer.adagrad().build(),
            Optimizer.rmsprop().build(),
            Optimizer.adadelta().build(),
            Optimizer.nag().setLearningRateTracker(Tracker.fixed(0.1f)).setMomentum(0.9f).build());
    for (Optimizer optimizer : missing) {
      // They throw when they are called; a wrapper would find out after the step is charged.
      List<Parameter> parameters = parameters(DataType.FLOAT32);
      assertThatThrownBy(
              () ->
                  optimizer.update(
                      "p",
                      parameters.get(0).getArray(),
                      gradients(new Random(1), parameters).get(0)))
          .isInstanceOf(UnsupportedOperationException.class);
      assertThatThrownBy(() -> DpOptimizer.wrap(optimizer))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining(optimizer.getClass().getName())
          .hasMessageContaining("use Dp");
    }
  }

  @Test
  void state_ofAWrappedOptimizer_isAnErrorThatSaysSo() {
    try (DpOptimizer optimizer = DpOptimizer.wrap(Optimizer.adam().build())) {
      assertThatThrownBy(optimizer::state)
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining("ai.djl.training.optimizer.Adam")
          .hasMessageContaining("DpAdam");
      OptimizerState state = new OptimizerState("Adam", 0, java.util.Map.of(), java.util.Map.of());
      assertThatThrownBy(() -> optimizer.restore(state))
          .isInstanceOf(UnsupportedOperationException.class);
    }
  }

  @Test
  void state_ofAnOptimizerThatHasNone_isAnErrorThatSaysSo() {
    try (DpOptimizer optimizer = new CapturingOptimizer()) {
      assertThatThrownBy(optimizer::state)
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining("CapturingOptimizer")
          .hasMessageContaining("implement state()");
      OptimizerState state = new OptimizerState("none", 0, java.util.Map.of(), java.util.Map.of());
      assertThatThrownBy(() -> optimizer.restore(state))
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining("CapturingOptimizer");
    }
  }

  private List<Parameter> parameters(DataType type) {
    List<Parameter> parameters = new ArrayList<>();
    for (Shape shape : List.of(new Shape(3, 4), new Shape(5), new Shape(2, 3, 2))) {
      NDArray array = new NormalInitializer(0.5f).initialize(manager, shape, DataType.FLOAT32);
      Parameter parameter =
          Parameter.builder()
              .setName("p" + parameters.size())
              .setType(Parameter.Type.WEIGHT)
              .build();
      parameter.setArray(array.toType(type, true));
      parameters.add(parameter);
    }
    return parameters;
  }

  private List<NDArray> gradients(Random random, List<Parameter> parameters) {
    List<NDArray> gradients = new ArrayList<>();
    for (Parameter parameter : parameters) {
      float[] values = new float[(int) parameter.getShape().size()];
      for (int j = 0; j < values.length; j++) {
        values[j] = (float) random.nextGaussian();
      }
      gradients.add(manager.create(values, parameter.getShape()));
    }
    return gradients;
  }

  /** Moves every weight by a hundredth against the sign of its gradient. */
  private static final class SignDescent extends Optimizer {
    SignDescent(Builder builder) {
      super(builder);
    }

    @Override
    public void update(String parameterId, NDArray weight, NDArray gradient) {
      gradient.signi().muli(0.01f);
      weight.subi(gradient);
    }

    private static final class Builder extends OptimizerBuilder<Builder> {
      @Override
      protected Builder self() {
        return this;
      }
    }
  }
}
