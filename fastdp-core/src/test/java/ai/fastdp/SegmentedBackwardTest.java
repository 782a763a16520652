/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.Dropout;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import ai.fastdp.loss.PerSampleLoss;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Supplier;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Back-propagation from cut to cut against back-propagation of the uncut graph, and which cuts are
 * left in models whose tensors go around them.
 */
@Tag("slow")
final class SegmentedBackwardTest {
  private static final int SAMPLES = 5;
  private static final long WIDTH = 4;

  @ParameterizedTest(name = "{0}")
  @EnumSource
  void run_anyModel_equalsTheUncutGraph(Recipe recipe) {
    try (Model model = recipe.model()) {
      NDManager manager = model.getNDManager();
      requireSame(
          model, recipe.data(manager, SAMPLES), recipe.labels(manager, SAMPLES), recipe.loss());
    }
  }

  /** Returns the cuts that were left. */
  private static List<String> requireSame(
      Model model, NDList data, NDList labels, PerSampleLoss loss) {
    PerformanceOptions options = PerformanceOptions.defaults();
    EngineProbe.Result whole;
    try (EngineProbe probe = new EngineProbe(model, loss, options)) {
      seed(model);
      whole = probe.run(data, labels);
    }
    try (EngineProbe probe = new EngineProbe(model, loss, options, true)) {
      probe.settleCuts(data, labels);
      seed(model);
      EngineProbe.Result cut = probe.run(data, labels);
      assertThat(cut.gradients().keySet()).isEqualTo(whole.gradients().keySet());
      cut.gradients()
          .forEach(
              (parameter, gradients) -> {
                for (int i = 0; i < gradients.length; i++) {
                  assertThat(
                          BatchOfOneOracle.relativeError(
                              gradients[i], whole.gradient(parameter, i)))
                      .isLessThan(1e-6);
                  assertThat(cut.squaredNorm(parameter, i))
                      .isCloseTo(
                          whole.squaredNorm(parameter, i),
                          org.assertj.core.data.Percentage.withPercentage(1e-3));
                }
              });
      return probe.cutPaths();
    }
  }

  private static void seed(Model model) {
    model.getNDManager().getEngine().setRandomSeed(5);
  }

  // ---------------------------------------------------------------- where graphs are cut

  /** Linear, tanh, linear, added to the input: a residual block that can be cut behind. */
  static class Residual extends Wiring {
    Residual() {
      super((call, x) -> x.add(call.run("b", Activation.tanh(call.run("a", x)))));
      part("a", Recipe.linear(6), WIDTH);
      part("b", Recipe.linear(WIDTH), 6);
    }
  }

  private static Wiring wiring(Wiring.Body body) {
    return new Wiring(body);
  }

  private static List<String> cuts(Supplier<Block> block) {
    try (Model model = OneStep.model(block.get())) {
      NDManager manager = model.getNDManager();
      model.getBlock().initialize(manager, DataType.FLOAT32, new Shape(1, WIDTH));
      Random random = new Random(4);
      model
          .getBlock()
          .getParameters()
          .values()
          .forEach(
              p -> {
                float[] values = new float[Math.toIntExact(p.getArray().size())];
                for (int j = 0; j < values.length; j++) {
                  values[j] = 0.4f * (float) random.nextGaussian();
                }
                p.getArray().set(values);
              });
      return requireSame(
          model,
          new NDList(OneStep.normal(manager, 1, 1, SAMPLES, WIDTH)),
          new NDList(OneStep.normal(manager, 2, 1, SAMPLES, WIDTH)),
          new SquaredError());
    }
  }

  @Test
  void cuts_chainOfResidualBlocks_isCutBehindEach() {
    assertThat(
            cuts(
                () ->
                    wiring((call, x) -> call.run("z", call.run("y", call.run("x", x))))
                        .part("x", new Residual(), WIDTH)
                        .part("y", new Residual(), WIDTH)
                        .part("z", new Residual(), WIDTH)))
        .containsExactly("01x", "02y", "03z");
  }

  @Test
  void cuts_sequence_isCutBehindItsChildrenAtAnyDepth() {
    assertThat(
            cuts(
                () ->
                    new SequentialBlock()
                        .add(Recipe.linear(WIDTH))
                        .add(Activation.tanhBlock())
                        .add(new SequentialBlock().add(new Residual()).add(new Residual()))
                        .add(Recipe.linear(WIDTH))))
        .containsExactly(
            "01Linear", "03SequentialBlock/01Residual", "03SequentialBlock/02Residual", "04Linear");
  }

  @Test
  void cuts_skipFromACutsOutputOverOthers_staysCut() {
    // The leaf of the first cut has readers in two segments.
    assertThat(
            cuts(
                () ->
                    wiring(
                            (call, x) -> {
                              NDArray first = call.run("x", x);
                              return call.run("z", call.run("y", first).add(first));
                            })
                        .part("x", new Residual(), WIDTH)
                        .part("y", new Residual(), WIDTH)
                        .part("z", new Residual(), WIDTH)))
        .containsExactly("01x", "02y", "03z");
  }

  @Test
  void cuts_layersTensorAroundCuts_dropsTheCutsItGoesAround() {
    // h comes before the cut behind y and is used after it; the cut behind z is whole.
    assertThat(
            cuts(
                () ->
                    wiring(
                            (call, x) -> {
                              NDArray h = call.run("e", x).mul(1.5f);
                              NDArray y = call.run("y", h);
                              return call.run("z", y.add(h));
                            })
                        .part("e", new Hidden(), WIDTH)
                        .part("y", new Residual(), WIDTH)
                        .part("z", new Residual(), WIDTH)))
        .containsExactly("03z");
  }

  /** A layer behind whose output cannot be cut, since its class is final. */
  static final class Hidden extends Wiring {
    Hidden() {
      super((call, x) -> call.run("a", x));
      part("a", Recipe.linear(WIDTH), WIDTH);
    }
  }

  @Test
  void cuts_computedTensorAroundACut_dropsTheCut() {
    // No layer lies between the first cut and u, which saves tensors and is used on both sides of
    // the second cut.
    assertThat(
            cuts(
                () ->
                    wiring(
                            (call, x) -> {
                              NDArray u = call.run("x", x).tanh().square();
                              return call.run("z", call.run("y", u).add(u));
                            })
                        .part("x", new Residual(), WIDTH)
                        .part("y", new Residual(), WIDTH)
                        .part("z", new Residual(), WIDTH)))
        .containsExactly("01x", "03z");
  }

  @Test
  void cuts_blockUsedTwice_isCutTwice() {
    assertThat(
            cuts(
                () ->
                    wiring((call, x) -> call.run("x", call.run("y", call.run("x", x))))
                        .part("x", new Residual(), WIDTH)
                        .part("y", new Residual(), WIDTH)))
        .containsExactly("01x", "02y");
  }

  @Test
  void cuts_weightSharedByBlocks_staysCut() {
    Linear shared = Recipe.plainLinear(WIDTH);
    assertThat(
            cuts(
                () ->
                    wiring((call, x) -> call.run("z", call.run("y", call.run("x", x))))
                        .part("x", holder(shared), WIDTH)
                        .part("y", new Residual(), WIDTH)
                        .part("z", holder(new ai.fastdp.nn.TiedLinear(shared)), WIDTH)))
        .containsExactly("01x", "02y", "03z");
  }

  private static Wiring holder(Block layer) {
    return wiring((call, x) -> Activation.tanh(call.run("w", x))).part("w", layer, WIDTH);
  }

  @Test
  void cuts_blockWithTwoOutputs_isNotCut() {
    assertThat(
            cuts(
                () ->
                    wiring(
                            (call, x) -> {
                              NDList both =
                                  call.part("x")
                                      .forward(call.store(), new NDList(x), call.training());
                              return call.run("y", both.get(0)).add(both.get(1));
                            })
                        .part("x", new TwoOutputs(), WIDTH)
                        .part("y", new Residual(), WIDTH)))
        // Not cut behind x; what x gave goes around the cut behind y.
        .containsExactly("01x");
  }

  /** Gives its layer's output and the square of it. */
  static class TwoOutputs extends Wiring {
    TwoOutputs() {
      super((call, x) -> call.run("a", x));
      part("a", Recipe.linear(WIDTH), WIDTH);
    }

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList inputs, boolean training, PairList<String, Object> params) {
      NDArray a = super.forwardInternal(store, inputs, training, params).head();
      return new NDList(a, a.square());
    }
  }

  @Test
  void cuts_outputChangedInPlace_isNotCut() {
    assertThat(
            cuts(
                () ->
                    wiring(
                            (call, x) -> {
                              NDArray h = call.run("x", x);
                              h.addi(1);
                              return call.run("y", h);
                            })
                        .part("x", new Residual(), WIDTH)
                        .part("y", new Residual(), WIDTH)))
        .isEmpty();
  }

  @Test
  void cuts_dropout_sameMasksSameGradients() {
    assertThat(
            cuts(
                () ->
                    wiring((call, x) -> call.run("y", call.run("d", call.run("x", x))))
                        .part("x", new Residual(), WIDTH)
                        .part("d", Dropout.builder().optRate(0.5f).build(), WIDTH)
                        .part("y", new Residual(), WIDTH)))
        .containsExactly("01x", "03y");
  }

  @Test
  void cuts_frozenFront_isNotCutThere() {
    List<String> left =
        cuts(
            () ->
                wiring((call, x) -> call.run("y", call.run("x", call.run("f", x))))
                    .part("f", Recipe.frozen(new Residual()), WIDTH)
                    .part("x", new Residual(), WIDTH)
                    .part("y", new Residual(), WIDTH));
    assertThat(left).containsExactly("02x", "03y");
  }

  // ---------------------------------------------------------------- structure that changes

  @Test
  void run_pathAroundACutThatAppearsLater_isAnError() {
    boolean[] around = {false};
    Wiring block =
        wiring(
                (call, x) -> {
                  NDArray h = call.run("e", x).mul(1.5f);
                  NDArray y = call.run("y", h);
                  return call.run("z", around[0] ? y.add(h) : y);
                })
            .part("e", new Hidden(), WIDTH)
            .part("y", new Residual(), WIDTH)
            .part("z", new Residual(), WIDTH);
    try (Model model = OneStep.model(block)) {
      NDManager manager = model.getNDManager();
      block.initialize(manager, DataType.FLOAT32, new Shape(1, WIDTH));
      NDList data = new NDList(OneStep.normal(manager, 1, 1, SAMPLES, WIDTH));
      NDList labels = new NDList(OneStep.normal(manager, 2, 1, SAMPLES, WIDTH));
      try (EngineProbe probe =
          new EngineProbe(model, new SquaredError(), PerformanceOptions.defaults(), true)) {
        probe.settleCuts(data, labels);
        assertThat(probe.cutPaths()).containsExactly("02y", "03z");
        around[0] = true;
        assertThatThrownBy(() -> probe.run(data, labels))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("got a path around the outputs of blocks [02y]");
      }
    }
  }

  @Test
  void detach_cutModel_leavesItAsItWas() {
    Wiring block =
        wiring((call, x) -> call.run("y", call.run("x", x)))
            .part("x", new Residual(), WIDTH)
            .part("y", new SequentialBlock().add(new Residual()), WIDTH);
    try (Model model = OneStep.model(block)) {
      block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, WIDTH));
      List<Block> before = tree(block);
      try (EngineProbe probe =
          new EngineProbe(model, new SquaredError(), PerformanceOptions.defaults(), true)) {
        assertThat(probe.cutPaths()).containsExactly("01x", "02y/01Residual");
        assertThat(tree(block)).isNotEqualTo(before);
      }
      assertThat(tree(block)).isEqualTo(before);
      assertThat(block.get("x")).isSameAs(before.get(1));
    }
  }

  private static List<Block> tree(Block root) {
    List<Block> blocks = new ArrayList<>();
    blocks.add(root);
    root.getChildren().values().forEach(child -> blocks.addAll(tree(child)));
    return blocks;
  }
}
