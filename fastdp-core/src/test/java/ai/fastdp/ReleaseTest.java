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
import ai.djl.nn.ParallelBlock;
import ai.djl.nn.SequentialBlock;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.clipping.ClippingStyle;
import ai.fastdp.loss.PerSampleLoss;
import ai.fastdp.mechanism.PredictableNoise;
import ai.fastdp.nn.GroupNorm;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.plan.PrivacyPlanBuilder;
import ai.fastdp.sampling.PrivateBatch;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** When activations and output gradients are released, and what group styles do in the trainer. */
final class ReleaseTest {
  private static final int SAMPLES = 5;

  private static List<Set<String>> held(ClippingStyle style, boolean cutting) {
    return held(Recipe.TRANSFORMER, style, cutting);
  }

  private static List<Set<String>> held(Recipe recipe, ClippingStyle style, boolean cutting) {
    try (Model model = recipe.model()) {
      NDManager manager = model.getNDManager();
      return held(
          model,
          recipe.loss(),
          style,
          cutting,
          recipe.data(manager, SAMPLES),
          recipe.labels(manager, SAMPLES));
    }
  }

  private static List<Set<String>> held(
      Model model,
      PerSampleLoss loss,
      ClippingStyle style,
      boolean cutting,
      NDList data,
      NDList labels) {
    try (EngineProbe probe = new EngineProbe(model, loss, PerformanceOptions.defaults(), cutting)) {
      return probe.held(style, data, labels);
    }
  }

  @Test
  void held_layerWise_eachLayerGoesWithItsSegment() {
    List<Set<String>> held = held(ClippingStyle.layerWise(), true);
    // Behind: the loss, the head, the norm, the second layer, the first, the embeddings.
    assertThat(held).hasSize(5);
    assertThat(held.get(1)).contains("05norm", "04layer/05down", "03layer/05down");
    assertThat(held.get(2)).contains("04layer/05down").doesNotContain("05norm");
    assertThat(held.get(3)).contains("03layer/05down");
    assertThat(held.get(3)).noneMatch(path -> path.startsWith("04layer"));
    assertThat(held.get(4)).isEmpty();
    // The head shares its table with the embedding: its input is kept to the last.
    assertThat(held.get(3)).contains("06head");
  }

  @Test
  void held_blockWise_eachBlockGoesWhenItsFirstLayerIsReached() {
    // 12 layers, the head among the group of its table: the halves divide the layers 04 and 03.
    List<Set<String>> held = held(ClippingStyle.blockWise(3), true);
    assertThat(held.get(3)).noneMatch(path -> path.startsWith("05"));
    assertThat(held.get(held.size() - 1)).isEmpty();
  }

  @Test
  void held_allLayer_whatProductsNeedIsHeldToTheLast() {
    List<Set<String>> held = held(ClippingStyle.allLayer(), true);
    assertThat(held.get(held.size() - 2)).contains("04layer/05down", "06head");
    // Gradients of vectors are formed after their segment.
    assertThat(held.get(1)).contains("05norm");
    assertThat(held.get(2)).doesNotContain("05norm");
    assertThat(held.get(held.size() - 1)).isEmpty();
    // As the engine runs it: in one pass.
    assertThat(held(ClippingStyle.allLayer(), false)).containsExactly(Set.of());
  }

  @Test
  void held_weightUsedTwice_isHeldUntilItsFirstUse() {
    List<Set<String>> held = held(Recipe.CONV_2D_DEEP_USED_TWICE, ClippingStyle.allLayer(), true);
    assertThat(held).hasSize(3);
    assertThat(held.get(1)).containsExactly("01a");
    assertThat(held.get(2)).isEmpty();
  }

  @Test
  void held_allLayerOfConvolutions_formedGradientsTakeTheirPlace() {
    // A block that has a forward function for labels too is cut behind, like any other.
    SequentialBlock block =
        new SequentialBlock()
            .add(Recipe.conv2d(4, 3, 1, 1, 1, 1, true))
            .add(GroupNorm.builder().setGroups(2).build())
            .add(
                new ParallelBlock(
                    paths -> new NDList(paths.get(0).head().add(paths.get(1).head()).tanh()),
                    List.of(
                        Recipe.conv2d(3, 3, 1, 1, 1, 1, false),
                        Recipe.conv2d(3, 1, 1, 0, 1, 1, false))))
            .add(Recipe.conv2d(2, 3, 1, 1, 1, 1, true));
    try (Model model = OneStep.model(block)) {
      NDManager manager = model.getNDManager();
      // So many positions that forming a gradient costs less than Gram matrices.
      block.initialize(manager, DataType.FLOAT32, new Shape(1, 2, 20, 20));
      List<Set<String>> held =
          held(
              model,
              new SquaredError(),
              ClippingStyle.allLayer(),
              true,
              new NDList(OneStep.normal(manager, 1, 1, SAMPLES, 2, 20, 20)),
              new NDList(OneStep.normal(manager, 2, 1, SAMPLES, 2, 20, 20)));
      String[] inside = {"03ParallelBlock/01Conv2d", "03ParallelBlock/02Conv2d"};
      assertThat(held).hasSize(5);
      // Behind the last layer there is the loss alone.
      assertThat(held.get(0)).contains("04Conv2d");
      assertThat(held.get(1)).contains(inside).contains("01Conv2d", "02GroupNorm").hasSize(4);
      assertThat(held.get(2)).containsExactly("01Conv2d", "02GroupNorm");
      assertThat(held.get(3)).containsExactly("01Conv2d");
      assertThat(held.get(4)).isEmpty();
    }
  }

  @Test
  void take_anyUse_valuesOfTheLayersOutputsAreGone() {
    try (Model model = Recipe.TRANSFORMER.model();
        EngineProbe probe =
            new EngineProbe(
                model, Recipe.TRANSFORMER.loss(), PerformanceOptions.defaults(), false)) {
      NDManager manager = model.getNDManager();
      assertThat(
              probe.elementsOfOutputsInBackward(
                  Recipe.TRANSFORMER.data(manager, SAMPLES),
                  Recipe.TRANSFORMER.labels(manager, SAMPLES)))
          .isNotEmpty()
          .allMatch(elements -> elements == 0);
    }
  }

  // ---------------------------------------------------------------- in the trainer

  private static PrivacyPlanBuilder plan(ClippingStyle style) {
    return OneStep.everySample(SAMPLES, 1).optStyle(style).optClipping(ClippingFunction.abadi());
  }

  private static PrivateTrainer trainer(Model model, PrivacyPlan plan, PerSampleLoss loss) {
    return PrivacyEngine.builder(plan)
        .optLoss(loss)
        .predictable(PredictableNoise.none(), new Random(1))
        .build()
        .attach(model, new CapturingOptimizer());
  }

  @Test
  void attach_groupStyle_cutsOnlyWhereGroupsCanBeReleasedApart() {
    for (ClippingStyle style :
        List.of(ClippingStyle.allLayer(), ClippingStyle.layerWise(), ClippingStyle.blockWise(1))) {
      try (Model model = Recipe.TRANSFORMER.model();
          PrivateTrainer trainer = trainer(model, plan(style).build(), Recipe.TRANSFORMER.loss())) {
        Block layer = model.getBlock().getChildren().values().get(2);
        assertThat(layer.getClass() != TinyTransformer.Layer.class)
            .isEqualTo(style.equals(ClippingStyle.layerWise()));
        assertThat(trainer.stepsTaken()).isZero();
      }
    }
  }

  @Test
  void attach_allLayerOfConvolutions_cuts() {
    try (Model model = Recipe.GROUP_NORM.model();
        PrivateTrainer trainer =
            trainer(model, plan(ClippingStyle.allLayer()).build(), Recipe.GROUP_NORM.loss())) {
      assertThat(trainer.cutPaths()).containsExactly("01a", "02n", "03b");
    }
  }

  @Test
  void attach_wholeGraph_cutsNowhere() {
    for (Recipe recipe : List.of(Recipe.TRANSFORMER, Recipe.GROUP_NORM)) {
      try (Model model = recipe.model();
          PrivateTrainer trainer =
              PrivacyEngine.builder(plan(ClippingStyle.layerWise()).build())
                  .optLoss(recipe.loss())
                  .optPerformance(PerformanceOptions.defaults().withWholeGraph())
                  .predictable(PredictableNoise.none(), new Random(1))
                  .build()
                  .attach(model, new CapturingOptimizer())) {
        assertThat(trainer.cutPaths()).isEmpty();
      }
    }
  }

  @Test
  void trainBatch_layerWise_passesTheSelfCheckOnTheCutGraph() throws Exception {
    try (Model model = Recipe.TRANSFORMER.model();
        PrivateTrainer trainer =
            trainer(model, plan(ClippingStyle.layerWise()).build(), Recipe.TRANSFORMER.loss())) {
      NDManager manager = model.getNDManager();
      int steps = 0;
      for (PrivateBatch batch :
          trainer.batches(
              OneStep.dataset(
                  Recipe.TRANSFORMER.data(manager, SAMPLES),
                  Recipe.TRANSFORMER.labels(manager, SAMPLES)))) {
        trainer.trainBatch(batch);
        trainer.step();
        batch.close();
        if (++steps == 3) {
          break;
        }
      }
      assertThat(trainer.stepsTaken()).isEqualTo(3);
    }
  }

  @Test
  void step_manyLayerWiseSteps_leaveNoArrayBehind() throws Exception {
    try (Model model = Recipe.TRANSFORMER.model();
        PrivateTrainer trainer =
            trainer(model, plan(ClippingStyle.paramWise()).build(), Recipe.TRANSFORMER.loss())) {
      NDManager manager = model.getNDManager();
      int step = 0;
      int afterTwo = 0;
      for (PrivateBatch batch :
          trainer.batches(
              OneStep.dataset(
                  Recipe.TRANSFORMER.data(manager, SAMPLES),
                  Recipe.TRANSFORMER.labels(manager, SAMPLES)))) {
        trainer.trainBatch(batch);
        trainer.step();
        batch.close();
        step++;
        int arrays =
            trainer.getManager().getManagedArrays().size() + manager.getManagedArrays().size();
        if (step == 2) {
          afterTwo = arrays;
        }
        if (step == 6) {
          assertThat(arrays).isEqualTo(afterTwo);
          break;
        }
      }
    }
  }

  @Test
  void step_layerWiseGradientNotFiniteInOneLayer_thatLayerContributesZero() throws Exception {
    // The root of zero has an infinite slope: its sample's gradient in layer a is not finite, its
    // loss is, and so is its gradient in layer b.
    Wiring block =
        new Wiring((call, x) -> call.run("b", call.run("a", x).sqrt()))
            .part("a", Recipe.plainLinear(2), 2)
            .part("b", Recipe.plainLinear(2), 2);
    CapturingOptimizer optimizer = new CapturingOptimizer();
    try (Model model = OneStep.model(block)) {
      NDManager manager = model.getNDManager();
      block.initialize(manager, DataType.FLOAT32, new Shape(1, 2));
      block.getParameters().valueAt(0).getArray().set(new float[] {1, 0, 0, 1});
      block.getParameters().valueAt(1).getArray().set(new float[] {1, 0, 0, 1});
      NDList data = new NDList(manager.create(new float[] {0, 4, 1, 9, 4, 1}, new Shape(3, 2)));
      NDList labels = new NDList(manager.create(new float[] {1, 1, 1, 1, 1, 1}, new Shape(3, 2)));
      PrivacyPlan plan =
          OneStep.everySample(3, 1)
              .optStyle(ClippingStyle.layerWise())
              .optClipping(ClippingFunction.abadi())
              .build();
      try (PrivateTrainer trainer =
          PrivacyEngine.builder(plan)
              .optLoss(new SquaredError())
              .optSelfCheck(false)
              .predictable(PredictableNoise.none(), new Random(1))
              .build()
              .attach(model, optimizer)) {
        PrivateBatch batch = trainer.batches(OneStep.dataset(data, labels)).iterator().next();
        trainer.trainBatch(batch);
        trainer.step();
        assertThat(trainer.nonFiniteSamples()).isEqualTo(1);
        for (float[] gradient : optimizer.gradients.values()) {
          for (float value : gradient) {
            assertThat(value).isFinite();
          }
          // Three samples or two, each within R / sqrt(2), over the batch size of 3.
          assertThat(BatchOfOneOracle.norm(BatchOfOneOracle.widened(gradient)))
              .isBetween(1e-3, 1 / Math.sqrt(2) * (1 + 1e-5));
        }
      }
    }
  }

  @Test
  void attach_styleThatDoesNotFit_isRefusedAndLeavesTheModelAsItWas() {
    Wiring block =
        new Wiring((call, x) -> call.run("b", Activation.tanh(call.run("a", x))))
            .part("a", Recipe.linear(3), 2)
            .part("b", Recipe.linear(2), 3);
    try (Model model = OneStep.model(block)) {
      block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 2));
      Block before = block.getChildren().values().get(0);
      PrivacyPlan tooMany = plan(ClippingStyle.blockWise(3)).build();
      assertThatThrownBy(() -> trainer(model, tooMany, new SquaredError()))
          .hasMessageContaining("blocks must be <= the number of trainable layers, 2, got 3");
      PrivacyPlan missing = plan(ClippingStyle.groupWise(List.of(List.of("01a")))).build();
      assertThatThrownBy(() -> trainer(model, missing, new SquaredError()))
          .hasMessageContaining("got '02b/weight' in none");
      assertThat(block.getChildren().values().get(0)).isSameAs(before);
      NDArray output =
          block
              .forward(
                  new ai.djl.training.ParameterStore(model.getNDManager(), false),
                  new NDList(model.getNDManager().ones(new Shape(1, 2))),
                  false)
              .head();
      assertThat(output.getShape()).isEqualTo(new Shape(1, 2));
    }
  }
}
