/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.LambdaBlock;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.nn.transformer.IdEmbedding;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import ai.fastdp.loss.PerSampleLoss;
import ai.fastdp.sampling.PrivateBatch;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What cannot be trained exactly is an error before the first update, and says where and why. */
@Tag("slow")
final class RefusalTest {
  private static final int SAMPLES = 4;

  private final List<AutoCloseable> open = new ArrayList<>();

  @AfterEach
  void close() throws Exception {
    for (AutoCloseable resource : open) {
      resource.close();
    }
  }

  // ---------------------------------------------------------------- refused at attach

  @ParameterizedTest(name = "frozen {0}")
  @ValueSource(booleans = {false, true})
  void attach_batchNorm_isRefused(boolean frozen) {
    BatchNorm norm = BatchNorm.builder().build();
    norm.freezeParameters(frozen);
    Wiring block =
        new Wiring((call, x) -> call.run("norm", call.run("a", x)))
            .part("a", Recipe.linear(4), 5)
            .part("norm", norm, 4);
    assertThatThrownBy(() -> attach(block))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll(
            "02norm", "ai.djl.nn.norm.BatchNorm", "mixes samples", "GroupNorm");
  }

  @Test
  void attach_convolutionWithAnotherPaddingMode_isRefusedWithShapesAndRemedy() {
    Conv2d convolution = new CircularConv2d(2);
    Wiring block = new Wiring((call, x) -> call.run("conv", x)).part("conv", convolution, 1, 8, 8);
    block.initialize(manager(), DataType.FLOAT32, new Shape(1, 1, 8, 8));
    assertThatThrownBy(() -> attach(block))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll(
            "01conv",
            CircularConv2d.class.getName(),
            "'weight' (2, 1, 3, 3)",
            "'bias' (2)",
            "freezeParameters(true)");
  }

  @Test
  void attach_severalProblems_areNamedAtOnce() {
    Wiring block =
        new Wiring((call, x) -> x)
            .part("norm", BatchNorm.builder().build(), 4)
            .part("own", new ScaleBlock(), 4);
    assertThatThrownBy(() -> attach(block)).hasMessageContainingAll("01norm", "02own");
  }

  @Test
  void attach_unknownBlock_isRefused() {
    Wiring block =
        new Wiring((call, x) -> call.run("own", call.run("a", x)))
            .part("a", Recipe.linear(4), 5)
            .part("own", new ScaleBlock(), 4);
    assertThatThrownBy(() -> attach(block))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("02own", ScaleBlock.class.getName(), "'scale'", "no rule");
  }

  @Test
  void attach_unknownBlockFrozen_isAccepted() {
    Wiring block =
        new Wiring((call, x) -> call.run("own", call.run("a", x)))
            .part("a", Recipe.linear(4), 5)
            .part("own", Recipe.frozen(new ScaleBlock()), 4);
    assertThatCode(() -> train(block, normal(SAMPLES, 5), normal(SAMPLES, 4)))
        .doesNotThrowAnyException();
  }

  @Test
  void attach_linearThatOverridesForward_isRefused() {
    Wiring block = new Wiring((call, x) -> call.run("a", x)).part("a", new ShiftedLinear(4), 5);
    assertThatThrownBy(() -> attach(block))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("01a", ShiftedLinear.class.getName(), "no rule");
  }

  @Test
  void attach_grandchildOfOverridingLinear_isRefused() {
    Wiring block = new Wiring((call, x) -> call.run("a", x)).part("a", new ShiftedLinear(4) {}, 5);
    assertThatThrownBy(() -> attach(block))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("no rule");
  }

  @Test
  void attach_linearSubclassWithoutOverride_isAccepted() {
    Wiring block =
        new Wiring((call, x) -> call.run("a", x)).part("a", new Recipe.NamedLinear(4), 5);
    assertThatCode(() -> train(block, normal(SAMPLES, 5), normal(SAMPLES, 4)))
        .doesNotThrowAnyException();
  }

  @Test
  void attach_rawParameterOfAUsersBlock_isRefused() {
    Wiring block =
        new Wiring((call, x) -> call.run("a", x).add(call.value("token", x)))
            .part("a", Recipe.linear(4), 5)
            .parameter("token", 4);
    assertThatThrownBy(() -> attach(block))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll(
            "layer 'Wiring'", Wiring.class.getName(), "'token' (4)", "no rule");
  }

  @Test
  void attach_nothingTrainable_isRefused() {
    Wiring block =
        new Wiring((call, x) -> call.run("a", x)).part("a", Recipe.frozen(Recipe.linear(4)), 5);
    assertThatThrownBy(() -> attach(block))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("no trainable parameter");
  }

  @Test
  void attach_noBlock_isRefused() {
    Model model = Model.newInstance("empty", "PyTorch");
    open.add(model);
    assertThatThrownBy(() -> engine().build().attach(model, new CapturingOptimizer()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("setBlock");
  }

  @Test
  void attach_finalClass_isRefusedWithItsName() {
    Wiring block = new Wiring((call, x) -> call.run("a", x)).part("a", new FinalLinear(4), 5);
    assertThatThrownBy(() -> attach(block))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("01a", FinalLinear.class.getName(), "final");
  }

  @Test
  void attach_twice_isRefusedUntilDetached() {
    Wiring block = new Wiring((call, x) -> call.run("a", x)).part("a", Recipe.linear(4), 5);
    requireAttachedOnce(block);
  }

  @Test
  void attach_twiceToLookUpsAlone_isRefusedUntilDetached() {
    // The one layer whose class is final, and which therefore has no twin to show that it is
    // hooked.
    Wiring block = new Wiring((call, x) -> call.run("a", x)).part("a", Recipe.idEmbedding(5, 4), 1);
    requireAttachedOnce(block);
  }

  @Test
  void attach_sameBlockInAnotherModel_isRefusedUntilDetached() {
    Wiring block = new Wiring((call, x) -> call.run("a", x)).part("a", Recipe.idEmbedding(5, 4), 1);
    Model first = OneStep.model(block);
    Model second = OneStep.model(block);
    open.add(first);
    open.add(second);
    PrivateTrainer trainer = engine().build().attach(first, new CapturingOptimizer());
    assertThatThrownBy(() -> engine().build().attach(second, new CapturingOptimizer()))
        .isInstanceOf(IllegalStateException.class);
    trainer.close();
    engine().build().attach(second, new CapturingOptimizer()).close();
  }

  private void requireAttachedOnce(Block block) {
    Model model = OneStep.model(block);
    open.add(model);
    PrivateTrainer trainer = engine().build().attach(model, new CapturingOptimizer());
    assertThatThrownBy(() -> engine().build().attach(model, new CapturingOptimizer()))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContainingAll("already", "detach");
    trainer.detach();
    PrivateTrainer next = engine().build().attach(model, new CapturingOptimizer());
    assertThatThrownBy(() -> engine().build().attach(model, new CapturingOptimizer()))
        .isInstanceOf(IllegalStateException.class);
    next.close();
    trainer.close();
    engine().build().attach(model, new CapturingOptimizer()).close();
  }

  // ---------------------------------------------------------------- refused at the first batch

  @Test
  void forward_lambdaThatCapturesALayer_isRefused() {
    Linear linear = Recipe.linear(4);
    Block lambda =
        new LambdaBlock(
            list -> linear.forward(new ParameterStore(list.getManager(), false), list, true));
    Wiring block =
        new Wiring((call, x) -> call.run("lambda", call.run("a", x)).add(call.run("a", x)))
            .part("a", linear, 4)
            .part("lambda", lambda, 4);
    assertRefused(block, normal(SAMPLES, 4), normal(SAMPLES, 4), "'01a/weight'");
  }

  @Test
  void forward_callThatBypassesTheHook_isRefused() {
    Linear linear = Recipe.linear(4);
    Wiring block =
        new Wiring(
                (call, x) ->
                    call.run("a", x)
                        .add(linear.forward(call.store(), new NDList(x), call.training()).head()))
            .part("a", linear, 4);
    assertRefused(
        block,
        normal(SAMPLES, 4),
        normal(SAMPLES, 4),
        "parameter 'weight' (4, 4)",
        "read outside every hooked layer");
  }

  @Test
  void forward_weightReadInsideAnotherLayer_isRefused() {
    Wiring block =
        new Wiring(
                (call, x) -> {
                  NDArray h = call.run("a", x);
                  Parameter weight = call.part("a").getDirectParameters().get("weight");
                  return h.dot(
                      call.store().getValue(weight, x.getDevice(), call.training()).transpose());
                })
            .part("a", Recipe.linear(4), 4);
    assertRefused(
        block, normal(SAMPLES, 4), normal(SAMPLES, 4), "'weight' (4, 4)", "must be read inside");
  }

  @Test
  void forward_arrayOfAParameterReadDirectly_isRefused() {
    Wiring block =
        new Wiring(
                (call, x) -> {
                  Parameter weight = call.part("a").getDirectParameters().get("weight");
                  return call.run("a", x).dot(weight.getArray().transpose());
                })
            .part("a", Recipe.linear(4), 4);
    assertRefused(block, normal(SAMPLES, 4), normal(SAMPLES, 4), "01a/weight");
  }

  @Test
  void forward_tableUsedAsAHeadThroughProbabilities_isRefused() {
    IdEmbedding table = Recipe.idEmbedding(5, 3);
    Wiring block =
        new Wiring(
                (call, x) ->
                    table.probabilities(call.store(), call.run("a", x).tanh(), call.training()))
            .part("a", table, 2);
    assertRefused(
        block,
        ids(5, SAMPLES, 2),
        normal(SAMPLES, 2, 5),
        "table 'embedding' (5, 3)",
        "01a",
        "TiedLinear");
  }

  @Test
  void forward_trainableLayerOutsideTheModelsTree_isRefused() {
    // It would be left untrained without a word.
    Linear stray = Recipe.linear(4);
    stray.initialize(manager(), DataType.FLOAT32, new Shape(1, 4));
    Wiring block =
        new Wiring(
                (call, x) ->
                    stray
                        .forward(call.store(), new NDList(call.run("a", x)), call.training())
                        .head())
            .part("a", Recipe.linear(4), 4);
    assertRefused(block, normal(SAMPLES, 4), normal(SAMPLES, 4), "'weight' (4, 4)");
  }

  @Test
  void forward_layerThatIsNeverUsed_isRefused() {
    Wiring block =
        new Wiring((call, x) -> call.run("a", x))
            .part("a", Recipe.linear(4), 5)
            .part("spare", Recipe.linear(3), 5);
    assertRefused(
        block,
        normal(SAMPLES, 5),
        normal(SAMPLES, 4),
        "'02spare/weight'",
        "'02spare/bias'",
        "path to the loss");
  }

  @Test
  void forward_layerWithoutGradientPath_isRefused() {
    Wiring block =
        new Wiring((call, x) -> call.run("b", call.run("a", x).stopGradient()))
            .part("a", Recipe.linear(4), 5)
            .part("b", Recipe.linear(4), 4);
    assertRefused(
        block, normal(SAMPLES, 5), normal(SAMPLES, 4), "'01a/weight'", "path to the loss");
  }

  @Test
  void forward_timeMajorInput_isRefused() {
    Wiring block =
        new Wiring((call, x) -> call.run("a", x.transpose(1, 0, 2)).transpose(1, 0, 2))
            .part("a", Recipe.linear(4), 6, 5);
    assertRefused(
        block,
        normal(SAMPLES, 6, 5),
        normal(SAMPLES, 6, 4),
        "layer '01a' (Linear)",
        "first axis",
        "(?, ?, ?) without the B samples");
  }

  @ParameterizedTest(name = "{0} samples of 3 positions")
  @ValueSource(ints = {3, 6})
  void forward_timeMajorWithAsManyPositionsAsSamples_isRefused(int samples) {
    Wiring block =
        new Wiring((call, x) -> call.run("a", x.transpose(1, 0, 2)).transpose(1, 0, 2))
            .part("a", Recipe.linear(4), 3, 5);
    assertRefused(block, normal(samples, 3, 5), normal(samples, 3, 4), "sample");
  }

  @ParameterizedTest(name = "{0} samples of {0} positions")
  @ValueSource(ints = {3, 4})
  void forward_timeMajorIds_isRefused(int samples) {
    Wiring block =
        new Wiring((call, x) -> call.run("b", call.run("a", x.transpose()).transpose(1, 0, 2)))
            .part("a", Recipe.idEmbedding(5, 3), 3)
            .part("b", Recipe.linear(4), 3, 3);
    assertRefused(block, ids(5, samples, samples), normal(samples, samples, 4), "sample");
  }

  @ParameterizedTest(name = "positions {0}")
  @ValueSource(ints = {1, 3, 4, 6, 8})
  void forward_positionsLookedUpOnceForAllSamples_isRefused(int positions) {
    Wiring block = positional(positions, true);
    assertRefused(block, ids(5, SAMPLES, positions), normal(SAMPLES, positions, 3), "sample");
  }

  @ParameterizedTest(name = "positions {0}")
  @ValueSource(ints = {3, 4, 6})
  void forward_positionsWithoutASampleAxis_isRefused(int positions) {
    Wiring block = positional(positions, false);
    assertRefused(block, ids(5, SAMPLES, positions), normal(SAMPLES, positions, 3), "sample");
  }

  @Test
  void forward_wordEmbeddingOfPositions_isRefused() {
    Wiring block =
        new Wiring(
                (call, x) ->
                    call.run("tokens", x)
                        .add(
                            call.run(
                                "places", x.getManager().arange(3).toType(DataType.INT64, true))))
            .part("tokens", Recipe.idEmbedding(5, 3), 3)
            .part("places", Recipe.wordEmbedding(3, 3), 3);
    assertRefused(block, ids(5, 3, 3), normal(3, 3, 3), "sample");
  }

  private static Wiring positional(int positions, boolean leadingAxis) {
    return new Wiring(
            (call, x) -> {
              NDArray places = x.getManager().arange(positions).toType(DataType.INT64, false);
              return call.run("tokens", x)
                  .add(call.run("places", leadingAxis ? places.expandDims(0) : places))
                  .tanh();
            })
        .part("tokens", Recipe.idEmbedding(5, 3), positions)
        .part("places", Recipe.idEmbedding(positions, 3), positions);
  }

  @Test
  void forward_inputModifiedInPlace_isRefused() {
    Wiring block =
        new Wiring(
                (call, x) -> {
                  NDArray h = x.mul(1);
                  NDArray y = call.run("a", h);
                  h.addi(1);
                  return y;
                })
            .part("a", Recipe.linear(4), 5);
    assertRefused(
        block, normal(SAMPLES, 5), normal(SAMPLES, 4), "input of layer '01a'", "in place");
  }

  @Test
  void forward_outputModifiedInPlace_isRefused() {
    Wiring block =
        new Wiring(
                (call, x) -> {
                  NDArray h = call.run("b", call.run("a", x));
                  h.muli(2);
                  return h;
                })
            .part("a", Recipe.linear(4), 5)
            .part("b", Recipe.linear(4), 4);
    assertRefused(
        block, normal(SAMPLES, 5), normal(SAMPLES, 4), "output of layer '02b'", "in place");
  }

  // ---------------------------------------------------------------- samples that influence others

  @Test
  void forward_meanOverTheBatchAfterTheFirstLayer_isRefused() {
    Wiring block =
        new Wiring(
                (call, x) -> {
                  NDArray h = call.run("a", x);
                  return call.run("b", h.sub(h.mean(new int[] {0}, true)));
                })
            .part("a", Recipe.linear(4), 5)
            .part("b", Recipe.linear(4), 4);
    assertRefused(block, normal(SAMPLES, 5), normal(SAMPLES, 4), "influence", "layer '01a'");
  }

  @Test
  void forward_meanOverTheBatchBeforeTheFirstLayer_isRefused() {
    Wiring block =
        new Wiring((call, x) -> call.run("a", x.sub(x.mean(new int[] {0}, true))))
            .part("a", Recipe.linear(4), 5);
    assertRefused(block, normal(SAMPLES, 5), normal(SAMPLES, 4), "sample", "batch");
  }

  @Test
  void forward_meanOverTheBatchInTrainingOnly_isRefused() {
    Wiring block =
        new Wiring(
                (call, x) ->
                    call.run("a", call.training() ? x.sub(x.mean(new int[] {0}, true)) : x))
            .part("a", Recipe.linear(4), 5);
    assertRefused(block, normal(SAMPLES, 5), normal(SAMPLES, 4), "sample", "batch");
  }

  @Test
  void forward_weakInfluenceBeforeTheFirstLayer_isRefused() {
    Wiring block =
        new Wiring((call, x) -> call.run("a", x.sub(x.mean(new int[] {0}, true).mul(1e-4f))))
            .part("a", Recipe.linear(4), 5);
    assertRefused(block, normal(SAMPLES, 5), normal(SAMPLES, 4), "sample", "batch");
  }

  @Test
  void forward_weakInfluenceAfterTheFirstLayer_isRefused() {
    Wiring block =
        new Wiring(
                (call, x) -> {
                  NDArray h = call.run("a", x);
                  return h.sub(h.mean(new int[] {0}, true).mul(1e-6f));
                })
            .part("a", Recipe.linear(4), 5);
    assertRefused(block, normal(SAMPLES, 5), normal(SAMPLES, 4), "influence");
  }

  // ---------------------------------------------------------------- losses

  @Test
  void loss_scalar_isRefused() {
    assertLossRefused((labels, outputs) -> squares(labels, outputs).sum(), "()");
  }

  @Test
  void loss_column_isRefused() {
    assertLossRefused((labels, outputs) -> squares(labels, outputs).expandDims(1), "(B, 1)");
  }

  @Test
  void loss_columnAgainstRow_isRefused() {
    // (B, 1) - (B) broadcasts to (B, B).
    assertLossRefused(
        (labels, outputs) ->
            outputs.head().sum(new int[] {1}).expandDims(1).sub(labels.head().sum(new int[] {1})),
        "(B, n)");
  }

  @Test
  void loss_meanOverTheBatchInEveryPlace_isRefused() {
    assertLossRefused(
        (labels, outputs) -> {
          NDArray losses = squares(labels, outputs);
          return losses.mean().broadcast(losses.getShape());
        },
        "influence");
  }

  @Test
  void loss_normalisedByACountOverTheBatch_isRefused() {
    // The token mean over a batch: the count comes from all samples' labels.
    assertLossRefused(
        (labels, outputs) ->
            squares(labels, outputs).div(labels.head().gt(0).toType(DataType.FLOAT32, true).sum()),
        "sample",
        "batch");
  }

  @Test
  void loss_wrongShapeWithoutSelfCheck_isRefusedToo() {
    Wiring block = new Wiring((call, x) -> call.run("a", x)).part("a", Recipe.linear(4), 5);
    assertThatThrownBy(
            () ->
                train(
                    block,
                    normal(SAMPLES, 5),
                    normal(SAMPLES, 4),
                    engine().optSelfCheck(false).optLoss((l, o) -> squares(l, o).expandDims(1))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("loss must have shape (B)", "(B, 1)");
  }

  private void assertLossRefused(PerSampleLoss loss, String... parts) {
    Wiring block = new Wiring((call, x) -> call.run("a", x)).part("a", Recipe.linear(4), 5);
    CapturingOptimizer optimizer = new CapturingOptimizer();
    assertThatThrownBy(
            () ->
                train(
                    block,
                    normal(SAMPLES, 5),
                    normal(SAMPLES, 4),
                    engine().optLoss(loss),
                    optimizer))
        .isInstanceOf(RuntimeException.class)
        .hasMessageContainingAll(parts);
    assertThat(optimizer.updates).isZero();
  }

  // ---------------------------------------------------------------- parameters

  @Test
  void attach_otherPrecision_isRefused() {
    Wiring block = new Wiring((call, x) -> call.run("a", x)).part("a", Recipe.linear(4), 5);
    block.initialize(manager(), DataType.FLOAT64, new Shape(1, 5));
    assertThatThrownBy(() -> attach(block))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("'01a'", "float32", "'weight' float64");
  }

  @Test
  void forward_precisionChangedSinceAttach_isRefused() {
    Wiring block = new Wiring((call, x) -> call.run("a", x)).part("a", Recipe.linear(4), 5);
    Model model = OneStep.model(block);
    open.add(model);
    PrivateTrainer trainer = engine().build().attach(model, new CapturingOptimizer());
    open.add(trainer);
    block.initialize(model.getNDManager(), DataType.FLOAT64, new Shape(1, 5));
    assertThatThrownBy(
            () ->
                trainer.trainBatch(
                    trainer
                        .batches(OneStep.dataset(normal(SAMPLES, 5), normal(SAMPLES, 4)))
                        .iterator()
                        .next()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("'01a/weight'", "float32", "float64");
  }

  @Test
  void forward_parameterFrozenWhileAttached_isRefused() {
    Wiring block =
        new Wiring((call, x) -> call.run("b", call.run("a", x)))
            .part("a", Recipe.linear(4), 5)
            .part("b", Recipe.linear(4), 4);
    Model model = OneStep.model(block);
    open.add(model);
    PrivateTrainer trainer = engine().build().attach(model, new CapturingOptimizer());
    trainer.initialize(new Shape(1, 5));
    block.get("a").freezeParameters(true);
    assertThatThrownBy(() -> train(trainer, normal(SAMPLES, 5), normal(SAMPLES, 4)))
        .hasMessageContainingAll("'01a/weight'", "trainable");
  }

  @Test
  void forward_parameterUnfrozenWhileAttached_isRefused() {
    Linear second = Recipe.frozen(Recipe.linear(4));
    Wiring block =
        new Wiring((call, x) -> call.run("b", call.run("a", x)))
            .part("a", Recipe.linear(4), 5)
            .part("b", second, 4);
    Model model = OneStep.model(block);
    open.add(model);
    PrivateTrainer trainer = engine().build().attach(model, new CapturingOptimizer());
    trainer.initialize(new Shape(1, 5));
    second.freezeParameters(false);
    assertThatThrownBy(() -> train(trainer, normal(SAMPLES, 5), normal(SAMPLES, 4)))
        .hasMessageContainingAll("'weight' (4, 4)");
  }

  @Test
  void forward_uninitialized_isRefused() {
    Wiring block = new Wiring((call, x) -> call.run("a", x)).part("a", Recipe.linear(4), 5);
    Model model = OneStep.model(block);
    open.add(model);
    PrivateTrainer trainer = engine().build().attach(model, new CapturingOptimizer());
    assertThatThrownBy(() -> train(trainer, normal(SAMPLES, 5), normal(SAMPLES, 4)))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContainingAll("'01a/weight'", "initialize");
  }

  @Test
  void attach_failure_leavesTheModelAsItWas() {
    Linear good = Recipe.linear(4);
    FinalLinear bad = new FinalLinear(4);
    SequentialBlock block = new SequentialBlock().add(good).add(bad);
    assertThatThrownBy(() -> attach(block)).isInstanceOf(IllegalArgumentException.class);
    assertThat(block.getChildren().valueAt(0)).isSameAs(good);
    assertThat(block.getChildren().valueAt(1)).isSameAs(bad);
  }

  // ---------------------------------------------------------------- what the tests stand on

  private static NDArray squares(NDList labels, NDList outputs) {
    return new SquaredError().evaluate(labels, outputs);
  }

  private PrivacyEngineBuilder engine() {
    return OneStep.engine(OneStep.everySample(SAMPLES, 1).build(), new SquaredError());
  }

  private NDManager manager() {
    NDManager manager = NDManager.newBaseManager("PyTorch");
    open.add(0, manager);
    return manager;
  }

  private NDList normal(long... shape) {
    return new NDList(OneStep.normal(manager(), 5, 1, shape));
  }

  private NDList ids(int bound, long... shape) {
    return new NDList(OneStep.ids(manager(), 5, bound, shape));
  }

  private void attach(Block block) {
    Model model = OneStep.model(block);
    open.add(model);
    engine().build().attach(model, new CapturingOptimizer()).close();
  }

  private void train(Block block, NDList data, NDList labels) throws Exception {
    train(block, data, labels, engine());
  }

  private void train(Block block, NDList data, NDList labels, PrivacyEngineBuilder engine)
      throws Exception {
    train(block, data, labels, engine, new CapturingOptimizer());
  }

  private void train(
      Block block,
      NDList data,
      NDList labels,
      PrivacyEngineBuilder engine,
      CapturingOptimizer optimizer)
      throws Exception {
    Model model = OneStep.model(block);
    open.add(0, model);
    try (PrivateTrainer trainer = engine.build().attach(model, optimizer)) {
      if (!block.isInitialized()) {
        trainer.initialize(data.head().getShape());
      }
      train(trainer, data, labels);
    }
    assertThat(optimizer.updates).isEqualTo(1);
  }

  private static void train(PrivateTrainer trainer, NDList data, NDList labels) throws Exception {
    PrivateBatch batch = trainer.batches(OneStep.dataset(data, labels)).iterator().next();
    trainer.trainBatch(batch);
    trainer.step();
    batch.close();
  }

  private void assertRefused(Block block, NDList data, NDList labels, String... parts) {
    CapturingOptimizer optimizer = new CapturingOptimizer();
    assertThatThrownBy(() -> train(block, data, labels, engine(), optimizer))
        .isInstanceOf(RuntimeException.class)
        .hasMessageContainingAll(parts);
    assertThat(optimizer.updates).isZero();
  }

  /** A block with a parameter that no rule knows. */
  private static final class ScaleBlock extends AbstractBlock {
    private final Parameter scale =
        addParameter(
            Parameter.builder()
                .setName("scale")
                .setType(Parameter.Type.GAMMA)
                .optShape(new Shape(4))
                .build());

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList inputs, boolean training, PairList<String, Object> params) {
      NDArray input = inputs.head();
      return new NDList(input.mul(store.getValue(scale, input.getDevice(), training)));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
      return inputShapes;
    }
  }

  /** A linear layer that computes something else. */
  private static class ShiftedLinear extends Linear {
    ShiftedLinear(long units) {
      super(builder().setUnits(units));
    }

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList inputs, boolean training, PairList<String, Object> params) {
      return super.forwardInternal(store, new NDList(inputs.head().mul(2)), training, params);
    }
  }

  /** A convolution that pads with the other side's pixels: the rule of DJL's would be wrong. */
  private static class CircularConv2d extends Conv2d {
    CircularConv2d(int filters) {
      super(Conv2d.builder().setKernelShape(new Shape(3, 3)).setFilters(filters));
    }

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList inputs, boolean training, PairList<String, Object> params) {
      NDArray x = inputs.head();
      NDArray rows = x.get(":,:,-1:").concat(x, 2).concat(x.get(":,:,:1"), 2);
      NDArray padded = rows.get(":,:,:,-1:").concat(rows, 3).concat(rows.get(":,:,:,:1"), 3);
      return super.forwardInternal(store, new NDList(padded), training, params);
    }
  }

  /** A class of which no twin can be made. */
  private static final class FinalLinear extends Linear {
    FinalLinear(long units) {
      super(builder().setUnits(units));
    }
  }
}
