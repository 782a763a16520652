/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.fastdp.optimizer.DpOptimizer;
import ai.fastdp.optimizer.OptimizerState;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** State that is handed out and taken back, for every optimizer in each of its forms. */
@Tag("slow")
final class OptimizerStateTest {
  private static final int BEFORE = 5;
  private static final int AFTER = 5;

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
                Arrays.stream(Precision.values())
                    .map(type -> Arguments.of(form.getKey(), type, form.getValue())));
  }

  @Test
  void forms_areThoseOfEveryOptimizer() {
    Set<Class<?>> tested = new HashSet<>();
    Fixture.all().values().forEach(form -> tested.add(form.get().getClass()));
    assertThat(tested).containsExactlyInAnyOrder(ListOptimizer.class.getPermittedSubclasses());
  }

  /** What a run leaves behind. */
  private record Run(OptimizerState state, List<Parameter> parameters, List<float[]> last) {}

  /** Updates before and after the moment at which the state and the weights are copied. */
  private Run run(Supplier<DpOptimizer> form, Precision type) {
    manager.getEngine().setRandomSeed(3);
    List<Parameter> parameters = Fixture.parameters(manager, type);
    try (DpOptimizer optimizer = form.get()) {
      update(optimizer, parameters, 1, BEFORE);
      List<Parameter> weights = Fixture.copies(manager, parameters);
      OptimizerState state = copy(optimizer.state(), list -> list);
      update(optimizer, parameters, BEFORE + 1, AFTER);
      return new Run(state, weights, Fixture.values(parameters));
    }
  }

  private void update(DpOptimizer optimizer, List<Parameter> parameters, int first, int count) {
    for (int t = first; t < first + count; t++) {
      optimizer.update(Fixture.gradient(manager, new Random(t), parameters));
    }
  }

  /** Through numbers in Java, as a checkpoint goes through a file. */
  private OptimizerState copy(OptimizerState state, UnaryOperator<float[]> change) {
    Map<String, List<NDArray>> arrays = new LinkedHashMap<>();
    state
        .arrays()
        .forEach(
            (name, list) -> {
              List<NDArray> copies = new ArrayList<>();
              list.forEach(
                  a -> copies.add(manager.create(change.apply(a.toFloatArray()), a.getShape())));
              arrays.put(name, copies);
            });
    return new OptimizerState(state.kind(), state.updates(), state.numbers(), arrays);
  }

  private List<float[]> resume(Supplier<DpOptimizer> form, Run run, OptimizerState state) {
    List<Parameter> parameters = Fixture.copies(manager, run.parameters());
    try (DpOptimizer optimizer = form.get()) {
      optimizer.restore(state);
      update(optimizer, parameters, BEFORE + 1, AFTER);
    }
    return Fixture.values(parameters);
  }

  private static boolean same(List<float[]> some, List<float[]> others) {
    for (int k = 0; k < some.size(); k++) {
      if (!Arrays.equals(some.get(k), others.get(k))) {
        return false;
      }
    }
    return true;
  }

  @ParameterizedTest(name = "{0}, {1}")
  @MethodSource("forms")
  void restore_continuesBitForBit(String name, Precision type, Supplier<DpOptimizer> form) {
    Run run = run(form, type);
    assertThat(run.state().updates()).isEqualTo(BEFORE);
    assertThat(run.state().arrays().containsKey("master")).isEqualTo(type != Precision.FLOAT32);
    assertThat(same(resume(form, run, run.state()), run.last())).isTrue();
  }

  @ParameterizedTest(name = "{0}, {1}")
  @MethodSource("forms")
  void restore_anyPartLostOrChanged_isRefusedOrShows(
      String name, Precision type, Supplier<DpOptimizer> form) {
    Run run = run(form, type);
    OptimizerState whole = run.state();
    for (String array : whole.arrays().keySet()) {
      Map<String, List<NDArray>> fewer = new LinkedHashMap<>(whole.arrays());
      List<NDArray> lost = fewer.remove(array);
      OptimizerState without =
          new OptimizerState(whole.kind(), whole.updates(), whole.numbers(), fewer);
      assertThatThrownBy(() -> resume(form, run, without))
          .as("without %s", array)
          .isInstanceOf(IllegalArgumentException.class);

      List<NDArray> zeros = new ArrayList<>();
      lost.forEach(a -> zeros.add(a.zerosLike()));
      fewer.put(array, zeros);
      OptimizerState zeroed =
          new OptimizerState(whole.kind(), whole.updates(), whole.numbers(), fewer);
      if (array.equals("master")) {
        assertThatThrownBy(() -> resume(form, run, zeroed))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("must round to the model's weight");
      } else {
        assertThat(same(resume(form, run, zeroed), run.last())).as("%s zero", array).isFalse();
      }
    }
    for (String number : whole.numbers().keySet()) {
      Map<String, Double> fewer = new LinkedHashMap<>(whole.numbers());
      fewer.remove(number);
      OptimizerState without =
          new OptimizerState(whole.kind(), whole.updates(), fewer, whole.arrays());
      assertThatThrownBy(() -> resume(form, run, without))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining(number);
      fewer.put(number, 0.0);
      OptimizerState zeroed =
          new OptimizerState(whole.kind(), whole.updates(), fewer, whole.arrays());
      assertThat(same(resume(form, run, zeroed), run.last())).as("%s zero", number).isFalse();
    }
    OptimizerState early = new OptimizerState(whole.kind(), 1, whole.numbers(), whole.arrays());
    assertThat(same(resume(form, run, early), run.last())).as("updates").isFalse();
  }

  @ParameterizedTest(name = "{0}, {1}")
  @MethodSource("forms")
  void restore_intoARunningOptimizer_goesBack(
      String name, Precision type, Supplier<DpOptimizer> form) {
    Run run = run(form, type);
    List<Parameter> parameters = Fixture.copies(manager, run.parameters());
    try (DpOptimizer optimizer = form.get()) {
      // Elsewhere first: all of it must be forgotten.
      update(optimizer, Fixture.copies(manager, run.parameters()), 20, 3);
      optimizer.restore(run.state());
      assertThat(optimizer.state().updates()).isEqualTo(BEFORE);
      assertThat(optimizer.state().arrays().keySet()).isEqualTo(run.state().arrays().keySet());
      update(optimizer, parameters, BEFORE + 1, AFTER);
    }
    assertThat(same(Fixture.values(parameters), run.last())).isTrue();
  }

  @ParameterizedTest(name = "{0}, {1}")
  @MethodSource("forms")
  void restore_stateFromBeforeTheFirstUpdate_beginsAnew(
      String name, Precision type, Supplier<DpOptimizer> form) {
    Run run = run(form, type);
    OptimizerState first;
    try (DpOptimizer optimizer = form.get()) {
      first = optimizer.state();
    }
    assertThat(first.updates()).isZero();
    assertThat(first.arrays()).isEmpty();
    List<Parameter> some = Fixture.copies(manager, run.parameters());
    List<Parameter> others = Fixture.copies(manager, run.parameters());
    try (DpOptimizer fresh = form.get();
        DpOptimizer used = form.get()) {
      update(used, Fixture.copies(manager, run.parameters()), 20, 3);
      used.restore(first);
      update(fresh, some, 1, AFTER);
      update(used, others, 1, AFTER);
    }
    assertThat(same(Fixture.values(some), Fixture.values(others))).isTrue();
  }

  @Test
  void restore_stateOfAnotherForm_isRefused() {
    Map<String, Supplier<DpOptimizer>> all = Fixture.all();
    for (String saved : all.keySet()) {
      Run run = run(Fixture.form(saved), Precision.FLOAT32);
      for (String other : all.keySet()) {
        if (!other.equals(saved)) {
          assertThatThrownBy(() -> resume(Fixture.form(other), run, run.state()))
              .as("%s into %s", saved, other)
              .isInstanceOf(IllegalArgumentException.class)
              .hasMessageContaining("state")
              .hasMessageContaining("saved with");
        }
      }
    }
  }

  @Test
  void restore_refusedState_changesNothing() {
    Supplier<DpOptimizer> form = Fixture.form("adam, noise correction");
    Run run = run(form, Precision.FLOAT32);
    List<Parameter> parameters = Fixture.copies(manager, run.parameters());
    try (DpOptimizer optimizer = form.get();
        DpOptimizer other = DpSgd.builder().setLearningRate(1).build()) {
      optimizer.restore(run.state());
      assertThatThrownBy(() -> optimizer.restore(other.state()))
          .isInstanceOf(IllegalArgumentException.class);
      update(optimizer, parameters, BEFORE + 1, AFTER);
    }
    assertThat(same(Fixture.values(parameters), run.last())).isTrue();
  }

  @Test
  void restore_otherShapes_isRefusedAndTheWeightsStay() {
    Supplier<DpOptimizer> form = Fixture.form("momentum");
    Run run = run(form, Precision.FLOAT32);
    List<Parameter> wrong = new ArrayList<>(Fixture.copies(manager, run.parameters()));
    wrong.set(
        1, Fixture.parameter(manager, "p1", Parameter.Type.BIAS, new Shape(6), Precision.FLOAT32));
    List<float[]> before = Fixture.values(wrong);
    try (DpOptimizer optimizer = form.get()) {
      optimizer.restore(run.state());
      assertThatThrownBy(() -> update(optimizer, wrong, 1, 1))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("'velocity'")
          .hasMessageContaining("(5)")
          .hasMessageContaining("(6)");
      assertThat(same(Fixture.values(wrong), before)).isTrue();
      // The right model may still follow.
      List<Parameter> right = Fixture.copies(manager, run.parameters());
      update(optimizer, right, BEFORE + 1, AFTER);
      assertThat(same(Fixture.values(right), run.last())).isTrue();
    }
  }

  @Test
  void restore_weightsOfAnotherType_isRefused() {
    Supplier<DpOptimizer> form = Fixture.form("adam");
    Run wide = run(form, Precision.FLOAT32);
    Run half = run(form, Precision.FLOAT16);
    assertThatThrownBy(() -> resume(form, wide, half.state()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("data types");
    assertThatThrownBy(() -> resume(form, half, wide.state()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("data types");
  }

  @Test
  void restore_thenState_isTheSameState() {
    Run run = run(Fixture.form("lamb"), Precision.FLOAT16);
    try (DpOptimizer optimizer = Fixture.form("lamb").get()) {
      optimizer.restore(run.state());
      OptimizerState again = optimizer.state();
      assertThat(again.updates()).isEqualTo(BEFORE);
      again
          .arrays()
          .forEach(
              (name, list) -> {
                for (int k = 0; k < list.size(); k++) {
                  assertThat(list.get(k).toFloatArray())
                      .containsExactly(
                          Objects.requireNonNull(run.state().arrays().get(name))
                              .get(k)
                              .toFloatArray());
                }
              });
    }
  }

  @Test
  void update_afterClose_isRefused() {
    for (Supplier<DpOptimizer> form : Fixture.all().values()) {
      DpOptimizer optimizer = form.get();
      optimizer.close();
      List<Parameter> parameters = Fixture.parameters(manager);
      assertThatThrownBy(() -> update(optimizer, parameters, 1, 1))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("must not have been closed");
    }
  }

  @Test
  void state_damagedParts_areRefused() {
    NDArray array = manager.zeros(new Shape(2));
    assertThatThrownBy(() -> new OptimizerState("k", -1, Map.of(), Map.of()))
        .hasMessageContaining("updates must be >= 0");
    assertThatThrownBy(() -> new OptimizerState("k", 1, Map.of("n", Double.NaN), Map.of()))
        .hasMessageContaining("number 'n' must be finite");
    assertThatThrownBy(
            () -> new OptimizerState("k", 1, Map.of(), Map.of("a", List.of(array), "b", List.of())))
        .hasMessageContaining("one array for each parameter");
    NDArray wide = array.toType(DataType.FLOAT64, true);
    assertThatThrownBy(() -> new OptimizerState("k", 1, Map.of(), Map.of("a", List.of(wide))))
        .hasMessageContaining("must be float32");
  }
}
