/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.fastdp.mechanism.NoiselessGradient;
import ai.fastdp.optimizer.DpOptimizer;
import java.util.List;
import java.util.Random;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Weights of other types and layouts are updated through contiguous float32 copies. */
@Tag("slow")
final class MasterWeightsTest {
  private NDManager manager = NDManager.newBaseManager("PyTorch");

  @BeforeEach
  void open() {
    manager = NDManager.newBaseManager("PyTorch");
  }

  @AfterEach
  void close() {
    manager.close();
  }

  static Stream<Arguments> forms() {
    return Fixture.all().entrySet().stream()
        .flatMap(
            form ->
                Stream.of(Precision.FLOAT16, Precision.BFLOAT16)
                    .map(type -> Arguments.of(form.getKey(), type, form.getValue())));
  }

  @ParameterizedTest(name = "{0}, {1}")
  @MethodSource("forms")
  void update_narrowWeights_areTheRoundedFloat32Weights(
      String name, Precision type, Supplier<DpOptimizer> form) {
    List<Parameter> narrow = Fixture.parameters(manager, type);
    List<Parameter> wide = widened(narrow);
    try (DpOptimizer narrowOptimizer = form.get();
        DpOptimizer wideOptimizer = form.get()) {
      for (int t = 0; t < 50; t++) {
        List<NDArray> gradients = Fixture.arrays(manager, new Random(t), narrow);
        narrowOptimizer.update(NoiselessGradient.withNoise(narrow, gradients, Fixture.DEVIATION));
        wideOptimizer.update(NoiselessGradient.withNoise(wide, gradients, Fixture.DEVIATION));
      }
    }
    for (int k = 0; k < narrow.size(); k++) {
      assertThat(type.isTypeOf(narrow.get(k).getArray())).isTrue();
      NDArray rounded = type.of(wide.get(k).getArray());
      assertThat(Precision.FLOAT32.of(narrow.get(k).getArray()).toFloatArray())
          .containsExactly(Precision.FLOAT32.of(rounded).toFloatArray());
    }
  }

  private List<Parameter> widened(List<Parameter> narrow) {
    return narrow.stream()
        .map(
            p -> {
              Parameter wide =
                  Parameter.builder().setName(p.getName()).setType(p.getType()).build();
              wide.setArray(Precision.FLOAT32.of(p.getArray()));
              return wide;
            })
        .toList();
  }

  @Test
  void update_stepsBelowHalfAUnit_addUp() {
    // A unit of bfloat16 at 1 is 1/128; a thousand steps of 1e-4 are 0.1 together.
    Parameter parameter = Parameter.builder().setName("w").setType(Parameter.Type.WEIGHT).build();
    parameter.setArray(Precision.BFLOAT16.of(manager.create(new float[] {1})));
    try (DpOptimizer optimizer = DpSgd.builder().setLearningRate(1e-4f).build()) {
      for (int t = 0; t < 1000; t++) {
        optimizer.update(
            NoiselessGradient.of(List.of(parameter), List.of(manager.create(new float[] {1}))));
      }
    }
    float last = Precision.FLOAT32.of(parameter.getArray()).toFloatArray()[0];
    assertThat(last).isBetween(0.895f, 0.905f);
  }

  @Test
  void update_transposedWeights_areUpdatedInPlace() {
    for (Supplier<DpOptimizer> form : Fixture.all().values()) {
      NDArray array = Fixture.parameters(manager).get(0).getArray().duplicate();
      Parameter strided = Parameter.builder().setName("w").setType(Parameter.Type.WEIGHT).build();
      strided.setArray(array.transpose());
      Parameter plain = Parameter.builder().setName("w").setType(Parameter.Type.WEIGHT).build();
      plain.setArray(array.transpose().duplicate().add(0));
      try (DpOptimizer first = form.get();
          DpOptimizer second = form.get()) {
        for (int t = 0; t < 3; t++) {
          List<NDArray> gradients = Fixture.arrays(manager, new Random(t), List.of(plain));
          first.update(NoiselessGradient.of(List.of(strided), gradients));
          second.update(NoiselessGradient.of(List.of(plain), gradients));
        }
      }
      assertThat(strided.getArray().toFloatArray())
          .containsExactly(plain.getArray().toFloatArray());
    }
  }

  @Test
  void update_replacedArrays_areTheWeights() {
    Parameter parameter = Parameter.builder().setName("w").setType(Parameter.Type.WEIGHT).build();
    parameter.setArray(Precision.FLOAT16.of(manager.create(new float[] {1})));
    List<NDArray> gradient = List.of(manager.create(new float[] {1}));
    try (DpOptimizer optimizer = DpSgd.builder().setLearningRate(0.5f).build()) {
      optimizer.update(NoiselessGradient.of(List.of(parameter), gradient));
      parameter.close();
      parameter.setShape(null);
      parameter.setArray(Precision.FLOAT16.of(manager.create(new float[] {8})));
      optimizer.update(NoiselessGradient.of(List.of(parameter), gradient));
    }
    assertThat(Precision.FLOAT32.of(parameter.getArray()).toFloatArray()).containsExactly(7.5f);
  }
}
