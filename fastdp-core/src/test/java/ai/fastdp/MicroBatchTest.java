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
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.internal.hook.SampleAxes;
import ai.fastdp.loss.PerSampleLoss;
import ai.fastdp.nn.TiedLinear;
import ai.fastdp.optimizer.DpOptimizer;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Blocks that run sample by sample because the user has named them. */
@Tag("slow")
final class MicroBatchTest {
  private static final int SAMPLES = 4;

  private final NDManager manager = NDManager.newBaseManager("PyTorch");

  @AfterEach
  void close() {
    manager.close();
  }

  // ---------------------------------------------------------------- exact

  @ParameterizedTest(name = "{0} samples")
  @ValueSource(ints = {1, 2, 5})
  void run_torchScriptModelAsAWhole_equalsBatchOfOne(int samples) {
    requireExact(
        ScriptedModule.dense(5, 3).load(manager, 1),
        normal(1, samples, 5),
        normal(2, samples, 3),
        "PtSymbolBlock");
  }

  @Test
  void run_torchScriptBetweenLayers_equalsBatchOfOne() {
    requireExact(
        scriptBetweenLayers(), normal(1, SAMPLES, 6, 5), normal(2, SAMPLES, 6, 2), "02script");
  }

  private Wiring scriptBetweenLayers() {
    return new Wiring(
            (call, x) -> call.run("b", call.run("script", Activation.tanh(call.run("a", x)))))
        .part("a", Recipe.linear(4), 6, 5)
        .part("script", ScriptedModule.dense(4, 3).load(manager, 1), 6, 4)
        .part("b", Recipe.linear(2), 6, 3);
  }

  @Test
  void run_torchScriptUsedTwice_isExactThroughItsHolderAndRefusedElse() {
    Wiring inner =
        new Wiring((call, x) -> call.run("script", call.run("script", x)))
            .part("script", ScriptedModule.dense(4, 4).load(manager, 1), 4);
    Wiring wiring =
        new Wiring((call, x) -> call.run("inner", call.run("a", x)))
            .part("a", Recipe.linear(4), 5)
            .part("inner", inner, 4);
    assertRunRefused(wiring, "02inner/01script", "'02inner/01script'", "second run", "twice");
    requireExact(wiring, normal(1, SAMPLES, 5), normal(2, SAMPLES, 4), "02inner");
  }

  @Test
  void run_torchScriptPartlyFrozen_equalsBatchOfOne() {
    PtSymbolBlock script = ScriptedModule.dense(4, 4).load(manager, 1);
    script.freezeParameters(true, parameter -> parameter.getName().equals("weight"));
    Wiring wiring =
        new Wiring((call, x) -> call.run("script", call.run("a", x)))
            .part("a", Recipe.linear(4), 5)
            .part("script", script, 4);
    requireExact(wiring, normal(1, SAMPLES, 5), normal(2, SAMPLES, 4), "02script");
  }

  @Test
  void run_blockWithARawParameter_equalsBatchOfOne() {
    Wiring wiring =
        new Wiring((call, x) -> call.run("b", call.run("own", call.run("a", x))))
            .part("a", Recipe.linear(4), 3, 5)
            .part("own", new ScaleBlock(), 3, 4)
            .part("b", Recipe.linear(4), 3, 4);
    requireExact(wiring, normal(1, SAMPLES, 3, 5), normal(2, SAMPLES, 3, 4), "02own");
  }

  @Test
  void run_parameterReadPastTheStore_equalsBatchOfOne() {
    Wiring inner =
        new Wiring(
                (call, x) ->
                    call.run("a", x)
                        .mul(
                            Objects.requireNonNull(call.part("a"))
                                .getDirectParameters()
                                .get("bias")
                                .getArray()))
            .part("a", Recipe.linear(4), 5);
    Wiring outer = new Wiring((call, x) -> call.run("inner", x)).part("inner", inner, 5);
    requireExact(outer, normal(1, SAMPLES, 5), normal(2, SAMPLES, 4), "01inner");
  }

  @Test
  void run_linearThatOverridesForward_equalsBatchOfOne() {
    Wiring wiring =
        new Wiring((call, x) -> call.run("b", call.run("a", x)))
            .part("a", new ShiftedLinear(4), 5)
            .part("b", Recipe.linear(4), 4);
    requireExact(wiring, normal(1, SAMPLES, 5), normal(2, SAMPLES, 4), "01a");
  }

  @Test
  void run_finalClass_equalsBatchOfOne() {
    Wiring wiring =
        new Wiring((call, x) -> call.run("b", call.run("a", x)))
            .part("a", new FinalLinear(4), 5)
            .part("b", Recipe.linear(4), 4);
    requireExact(wiring, normal(1, SAMPLES, 5), normal(2, SAMPLES, 4), "01a");
  }

  @Test
  void run_wholeModel_equalsBatchOfOne() {
    requireExact(
        new TinyTransformer(31, 8, 12, 2),
        Recipe.TRANSFORMER.data(manager, SAMPLES),
        Recipe.TRANSFORMER.labels(manager, SAMPLES),
        Recipe.TRANSFORMER.loss(),
        "TinyTransformer");
  }

  @Test
  void run_blockWithTorchScriptInside_equalsBatchOfOne() {
    Wiring outer =
        new Wiring((call, x) -> call.run("b", call.run("inner", x)))
            .part("inner", scriptBetweenLayers(), 6, 5)
            .part("b", Recipe.linear(3), 6, 2);
    requireExact(outer, normal(1, SAMPLES, 6, 5), normal(2, SAMPLES, 6, 3), "01inner");
  }

  @Test
  void run_blockWithSeveralOutputs_equalsBatchOfOne() {
    Wiring wiring =
        new Wiring(
                (call, x) -> {
                  NDList out =
                      call.part("two").forward(call.store(), new NDList(call.run("a", x)), true);
                  // Samples of ids come along without a gradient.
                  return out.get(0).add(out.get(1).mul(2)).mul(out.get(2).add(1));
                })
            .part("a", Recipe.linear(4), 5)
            .part("two", new TwoOutputs(), 4);
    requireExact(wiring, normal(1, SAMPLES, 5), normal(2, SAMPLES, 4), "02two");
  }

  @ParameterizedTest(name = "final {0}")
  @ValueSource(booleans = {false, true})
  void step_blockThatTakesLabels_clippedSumEqualsBatchOfOne(boolean isFinal) {
    NDList data = new NDList(normal(1, SAMPLES, 4));
    NDList labels = new NDList(normal(2, SAMPLES, 4));
    LabelReader block = isFinal ? new FinalLabelReader() : new LabelReader();
    try (Model model = OneStep.model(block)) {
      initialize(block, data);
      // Data and labels side by side, so that the oracle's block has both.
      Wiring plain =
          new Wiring((call, x) -> call.run("inner", x.get(":, 0:4")).mul(x.get(":, 4:")))
              .part("inner", block.inner, 4);
      BatchOfOneOracle oracle = new BatchOfOneOracle(plain, new SquaredError()::evaluate);
      double[][][] gradients =
          oracle.gradients(new NDList(data.head().concat(labels.head(), 1)), labels);
      requireStep(
          model,
          oracle,
          gradients,
          data,
          labels,
          new SquaredError(),
          block.getClass().getSimpleName());
    }
  }

  @Test
  void run_sequentialModel_equalsBatchOfOne() {
    SequentialBlock chain =
        new SequentialBlock()
            .add(Recipe.linear(4))
            .add(new SequentialBlock().add(new FinalLinear(4)).add(Recipe.linear(3)));
    requireExact(chain, normal(1, SAMPLES, 5), normal(2, SAMPLES, 3), "SequentialBlock");
    requireExact(chain, normal(1, SAMPLES, 5), normal(2, SAMPLES, 3), "02SequentialBlock");
  }

  private void requireExact(Block block, NDArray data, NDArray labels, String path) {
    requireExact(block, new NDList(data), new NDList(labels), new SquaredError(), path);
  }

  private void requireExact(
      Block block, NDList data, NDList labels, PerSampleLoss loss, String path) {
    try (Model model = OneStep.model(block)) {
      initialize(block, data);
      BatchOfOneOracle oracle = new BatchOfOneOracle(block, loss::evaluate);
      double[][][] expected = oracle.gradients(data, labels);
      try (EngineProbe probe =
          new EngineProbe(
              model, loss, PerformanceOptions.defaults(), true, SampleAxes.first(), path)) {
        EngineProbe.Result actual = probe.run(data, labels);
        assertThat(actual.gradients().keySet())
            .containsExactlyInAnyOrderElementsOf(oracle.parameters());
        for (int i = 0; i < expected.length; i++) {
          double whole = BatchOfOneOracle.norm(expected[i]);
          assertThat(actual.norm(i))
              .isCloseTo(whole, org.assertj.core.data.Offset.offset(1e-5 * whole));
          for (int k = 0; k < oracle.parameters().size(); k++) {
            assertThat(
                    BatchOfOneOracle.relativeError(
                        actual.gradient(oracle.parameters().get(k), i), expected[i][k]))
                .as(oracle.parameters().get(k).getName())
                .isLessThan(1e-5);
          }
        }
      }
      assertThat(model.getBlock()).isSameAs(block);
      requireStep(model, oracle, expected, data, labels, loss, path);
    }
  }

  /** A whole step in micro-batches, with the self-check. */
  private static void requireStep(
      Model model,
      BatchOfOneOracle oracle,
      double[][][] gradients,
      NDList data,
      NDList labels,
      PerSampleLoss loss,
      String path) {
    double clipNorm =
        Arrays.stream(gradients)
            .mapToDouble(BatchOfOneOracle::norm)
            .sorted()
            .toArray()[gradients.length / 2];
    double[][] expected = BatchOfOneOracle.clippedSum(gradients, n -> Math.min(1, clipNorm / n));
    IdentityHashMap<Parameter, double[]> actual =
        OneStep.firstStep(
            model,
            data,
            labels,
            engine(gradients.length, clipNorm, loss, path)
                .optPerformance(PerformanceOptions.defaults().withPhysicalBatchSize(3)));
    for (int k = 0; k < expected.length; k++) {
      double[] sum = Objects.requireNonNull(actual.get(oracle.parameters().get(k)));
      assertThat(BatchOfOneOracle.relativeError(sum, expected[k])).isLessThan(2e-5);
    }
  }

  private static PrivacyEngineBuilder engine(
      long samples, double clipNorm, PerSampleLoss loss, String... paths) {
    return OneStep.engine(
            OneStep.everySample(samples, clipNorm).optClipping(ClippingFunction.abadi()).build(),
            loss)
        .optSampleBySample(paths);
  }

  private void initialize(Block block, NDList data) {
    if (!block.isInitialized()) {
      block.initialize(manager, DataType.FLOAT32, data.head().getShape());
    }
    if (!(block instanceof PtSymbolBlock)) {
      RecurrentTest.randomize(block, new Random(3), 0.5f);
    }
  }

  // ---------------------------------------------------------------- samples, steps

  @Test
  void step_sampleThatIsNotANumber_contributesZero() {
    NDArray data = normal(1, SAMPLES, 6, 5);
    NDArray labels = normal(2, SAMPLES, 6, 2);
    NDArray poisoned = data.duplicate();
    poisoned.set(new ai.djl.ndarray.index.NDIndex("1, 2, 3"), Float.NaN);
    Wiring wiring = scriptBetweenLayers();
    initialize(wiring, new NDList(data));
    try (Model model = OneStep.model(wiring)) {
      NDList others = rows(data, 0, 2, 3);
      NDList otherLabels = rows(labels, 0, 2, 3);
      IdentityHashMap<Parameter, double[]> expected =
          OneStep.firstStep(
              model, others, otherLabels, engine(3, 0.1, new SquaredError(), "02script"));
      IdentityHashMap<Parameter, double[]> actual =
          OneStep.firstStep(
              model,
              new NDList(poisoned),
              new NDList(labels),
              engine(SAMPLES, 0.1, new SquaredError(), "02script").optSelfCheck(false));
      expected.forEach(
          (parameter, sum) ->
              assertThat(
                      BatchOfOneOracle.relativeError(
                          Objects.requireNonNull(actual.get(parameter)), sum))
                  .isLessThan(1e-5));
    }
  }

  private static NDList rows(NDArray array, int... samples) {
    NDList rows = new NDList();
    for (int i : samples) {
      rows.add(array.get(i + ":" + (i + 1)));
    }
    return new NDList(ai.djl.ndarray.NDArrays.concat(rows, 0));
  }

  @Test
  void step_torchScript_trainsTheModulesOwnParameters() throws Exception {
    PtSymbolBlock script = ScriptedModule.dense(5, 3).load(manager, 1);
    NDArray data = normal(1, SAMPLES, 5);
    float[] before = infer(script, data);
    DpOptimizer descent =
        new DpOptimizer() {
          @Override
          public void update(ai.fastdp.mechanism.PrivatizedGradient gradient) {
            for (int k = 0; k < gradient.parameters().size(); k++) {
              NDArray array = gradient.parameters().get(k).getArray();
              array.set(array.stopGradient().sub(gradient.gradients().get(k)).toFloatArray());
            }
          }

          @Override
          public void close() {}
        };
    try (Model model = OneStep.model(script)) {
      PrivateTrainer trainer =
          engine(SAMPLES, 1, new SquaredError(), "PtSymbolBlock").build().attach(model, descent);
      NDList labels = new NDList(normal(2, SAMPLES, 3));
      for (int i = 0; i < 3; i++) {
        var batch = trainer.batches(OneStep.dataset(new NDList(data), labels)).iterator().next();
        trainer.trainBatch(batch);
        trainer.step();
        batch.close();
      }
      float[] while_ = trainer.evaluate(new NDList(data)).head().toFloatArray();
      trainer.close();
      assertThat(model.getBlock()).isSameAs(script);
      float[] after = infer(script, data);
      assertThat(after).isEqualTo(while_).isNotEqualTo(before);
    }
  }

  private static float[] infer(Block block, NDArray data) {
    return block
        .forward(new ParameterStore(data.getManager(), false), new NDList(data), false)
        .head()
        .toFloatArray();
  }

  @Test
  void step_torchScriptWithDropout_passesTheSelfCheck() {
    ScriptedModule dropout =
        new ScriptedModule(
                """
                  def forward(self: __torch__.Scripted,
                    x: Tensor) -> Tensor:
                    return torch.dropout(torch.linear(x, self.weight, None), 0.5, self.training)
                """)
            .parameter("weight", 4, 4);
    Wiring wiring =
        new Wiring((call, x) -> call.run("script", call.run("a", x)))
            .part("a", Recipe.linear(4), 5)
            .part("script", dropout.load(manager, 1), 4);
    requireTrains(wiring, normal(1, SAMPLES, 5), normal(2, SAMPLES, 4), "02script");
  }

  @Test
  void step_frozenTorchScriptBetweenLayers_passesTheSelfCheck() {
    // DJL would run it without a graph in inference mode, and cut the first layer off.
    Wiring wiring = scriptBetweenLayers();
    wiring.get("script").freezeParameters(true);
    requireTrains(wiring, normal(1, SAMPLES, 6, 5), normal(2, SAMPLES, 6, 2));
  }

  private void requireTrains(Wiring wiring, NDArray data, NDArray labels, String... paths) {
    initialize(wiring, new NDList(data));
    try (Model model = OneStep.model(wiring)) {
      assertThatCode(
              () ->
                  OneStep.firstStep(
                      model,
                      new NDList(data),
                      new NDList(labels),
                      engine(SAMPLES, 1, new SquaredError(), paths)))
          .doesNotThrowAnyException();
    }
  }

  // ---------------------------------------------------------------- refused

  @Test
  void attach_withoutTheSwitch_isRefusedAndNamesIt() {
    assertAttachRefused(
        ScriptedModule.dense(5, 3).load(manager, 1),
        "PtSymbolBlock",
        "'weight'",
        "optSampleBySample(\"PtSymbolBlock\")");
    assertAttachRefused(
        new Wiring((call, x) -> call.run("a", x)).part("a", new FinalLinear(4), 5),
        "final",
        "optSampleBySample(\"01a\")");
    assertAttachRefused(
        new Wiring((call, x) -> call.run("a", x)).part("a", new ShiftedLinear(4), 5),
        "no rule",
        "optSampleBySample(\"01a\")");
  }

  @Test
  void attach_otherPathThanTheBlocks_isRefused() {
    Wiring wiring = scriptBetweenLayers();
    initialize(wiring, new NDList(normal(1, 1, 6, 5)));
    assertThatThrownBy(() -> attach(wiring, "script"))
        .hasMessageContainingAll("optSampleBySample", "'script'", "02script", "no rule");
    assertThatThrownBy(() -> attach(wiring, "02script", "Wiring"))
        .hasMessageContainingAll("'Wiring'", "shares blocks", "outer");
    wiring.get("script").freezeParameters(true);
    assertThatThrownBy(() -> attach(wiring, "02script"))
        .hasMessageContainingAll("'02script'", "no trainable parameter");
  }

  @Test
  void attach_parameterSharedWithALayerOutside_isRefused() {
    Linear shared = Recipe.plainLinear(5);
    Wiring inner = new Wiring((call, x) -> call.run("a", x)).part("a", shared, 5);
    Wiring outer =
        new Wiring((call, x) -> call.run("b", call.run("inner", x)))
            .part("inner", inner, 5)
            .part("b", new TiedLinear(shared), 5);
    assertThatThrownBy(() -> attach(outer, "01inner"))
        .hasMessageContainingAll("'02b'", "'weight'", "holds both");
  }

  @Test
  void attach_finalClassInATypedField_isRefusedAndLeavesTheModelAsItWas() {
    TypedHolder holder = new TypedHolder();
    Block before = holder.getChildren().valueAt(0);
    assertThatThrownBy(() -> attach(holder, "01FinalLinear"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("'last'", "TypedHolder", "ai.djl.nn.Block", "optSampleBySample");
    assertThat(holder.getChildren().valueAt(0)).isSameAs(before);
    assertThat(holder.getChildren().valueAt(1)).isSameAs(holder.first);
    assertThatCode(() -> attach(holder, "TypedHolder")).doesNotThrowAnyException();
  }

  @Test
  void run_inputWithoutSamples_isRefused() {
    Wiring wiring =
        new Wiring(
                (call, x) ->
                    call.part("own")
                        .forward(
                            call.store(),
                            new NDList(call.run("a", x), x.getManager().ones(new Shape(1, 4))),
                            call.training())
                        .head())
            .part("a", Recipe.linear(4), 5)
            .part("own", new ScaleBlock(), 4);
    assertRunRefused(wiring, "02own", "input of layer '02own'", "(?, ?) without the B samples");
  }

  @Test
  void run_outputWithoutSamples_isRefused() {
    Wiring wiring =
        new Wiring((call, x) -> call.run("own", x))
            .part(
                "own",
                new Wiring((call, x) -> call.run("a", x).squeeze(0)).part("a", Recipe.linear(4), 5),
                5);
    assertRunRefused(wiring, "01own", "output of layer '01own'", "got (?) without the B samples");
  }

  @Test
  void run_parameterOfTheBlockReadOutsideIt_isRefused() {
    Wiring wiring =
        new Wiring(
                (call, x) -> {
                  Parameter scale = call.part("own").getDirectParameters().get("scale");
                  NDArray value = call.store().getValue(scale, x.getDevice(), call.training());
                  return call.run("own", call.run("a", x)).mul(value);
                })
            .part("a", Recipe.linear(4), 5)
            .part("own", new ScaleBlock(), 4);
    assertRunRefused(wiring, "02own", "'scale' (4)", "outside every hooked layer");
  }

  @ParameterizedTest(name = "trainable {0}")
  @ValueSource(booleans = {true, false})
  void run_torchScriptThatKeepsStatistics_isRefused(boolean trainable) {
    ScriptedModule counting =
        new ScriptedModule(
                """
                  def forward(self: __torch__.Scripted,
                    x: Tensor) -> Tensor:
                    if self.training:
                      torch.add_(self.seen, 1.)
                    return torch.linear(x, self.weight, None)
                """)
            .parameter("weight", 4, 4)
            .buffer("seen", 1);
    PtSymbolBlock script = counting.load(manager, 1);
    script.freezeParameters(!trainable);
    Wiring wiring =
        new Wiring((call, x) -> call.run("script", call.run("a", x)))
            .part("a", Recipe.linear(4), 5)
            .part("script", script, 4);
    assertRunRefused(
        wiring, trainable ? "02script" : null, "'02script'", "no state", "batch statistics");
  }

  private void assertRunRefused(
      Wiring wiring, @org.jspecify.annotations.Nullable String path, String... parts) {
    NDList data = new NDList(normal(1, SAMPLES, 5));
    initialize(wiring, data);
    try (Model model = OneStep.model(wiring)) {
      PrivacyEngineBuilder engine =
          engine(
              SAMPLES, 1, new SquaredError(), path == null ? new String[0] : new String[] {path});
      assertThatThrownBy(
              () -> OneStep.firstStep(model, data, new NDList(normal(2, SAMPLES, 4)), engine))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContainingAll(parts);
    }
  }

  private void assertAttachRefused(Block block, String... parts) {
    assertThatThrownBy(() -> attach(block))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll(parts);
  }

  private void attach(Block block, String... paths) {
    try (Model model = OneStep.model(block)) {
      engine(SAMPLES, 1, new SquaredError(), paths)
          .build()
          .attach(model, new CapturingOptimizer())
          .close();
    }
  }

  private NDArray normal(long seed, long... shape) {
    return OneStep.normal(manager, seed, 1, shape);
  }

  // ---------------------------------------------------------------- blocks

  /** A block with a parameter that no rule knows, and an input that it may ignore. */
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
      return new NDList(store.getValue(scale, input.getDevice(), training).mul(input));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
      return inputShapes;
    }
  }

  /** Gives two arrays to be differentiated and one of whole numbers. */
  private static final class TwoOutputs extends AbstractBlock {
    private final Linear inner = addChildBlock("inner", Recipe.linear(4));

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList inputs, boolean training, PairList<String, Object> params) {
      NDArray h = inner.forward(store, inputs, training).head();
      return new NDList(h.tanh(), h.square(), inputs.head().gt(0).toType(DataType.INT64, false));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
      return new Shape[] {inputShapes[0], inputShapes[0], inputShapes[0]};
    }

    @Override
    protected void initializeChildBlocks(NDManager parent, DataType type, Shape... shapes) {
      inner.initialize(parent, type, shapes);
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

  /** A class of which no twin can be made. */
  private static final class FinalLinear extends Linear {
    FinalLinear(long units) {
      super(builder().setUnits(units));
    }
  }

  /** Holds a block by its own final type. */
  private static final class TypedHolder extends SequentialBlock {
    private final Linear first = Recipe.linear(4);
    private final FinalLinear last = new FinalLinear(4);

    TypedHolder() {
      add(last);
      add(first);
      assertThat(List.of(last, first)).hasSize(2);
    }
  }

  /** A block that uses its labels, as a teacher-forced decoder does. */
  private static class LabelReader extends AbstractBlock {
    private final Linear inner = addChildBlock("inner", Recipe.linear(4));

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList inputs, boolean training, PairList<String, Object> params) {
      return inner.forward(store, inputs, training);
    }

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList data, NDList labels, PairList<String, Object> params) {
      return new NDList(inner.forward(store, data, true).head().mul(labels.head()));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
      return inner.getOutputShapes(inputShapes);
    }

    @Override
    protected void initializeChildBlocks(NDManager parent, DataType type, Shape... shapes) {
      inner.initialize(parent, type, shapes);
    }
  }

  /** The same, closed to subclasses. */
  private static final class FinalLabelReader extends LabelReader {}
}
