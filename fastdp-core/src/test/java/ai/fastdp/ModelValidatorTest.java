/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.nn.norm.GhostBatchNorm;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import ai.fastdp.internal.hook.HookedModel;
import ai.fastdp.nn.GroupNorm;
import ai.fastdp.sampling.PrivateBatch;
import ai.fastdp.validation.ModelProblem;
import ai.fastdp.validation.ModelValidator;
import ai.fastdp.validation.Replacement;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the validator finds, and what it puts right. */
final class ModelValidatorTest {
  private static final int SAMPLES = 3;

  private final NDManager manager = NDManager.newBaseManager("PyTorch");

  @AfterEach
  void close() {
    manager.close();
  }

  // ---------------------------------------------------------------- validate

  @Test
  void validate_supportedModel_findsNothing() {
    assertThat(ModelValidator.validate(Recipe.TRANSFORMER.model().getBlock())).isEmpty();
  }

  @Test
  void validate_severalProblems_listsEachWithPathTypeAndRemedy() {
    SequentialBlock block =
        new SequentialBlock()
            .add(convolution(4))
            .add(BatchNorm.builder().build())
            .add(new SequentialBlock().add(new Own()))
            .add(new FinalLinear());
    List<ModelProblem> problems = ModelValidator.validate(block);
    assertThat(problems)
        .extracting(ModelProblem::path)
        .containsExactly("02BatchNorm", "03SequentialBlock/01Own", "04FinalLinear");
    assertThat(problems)
        .extracting(ModelProblem::type)
        .containsExactly(
            "ai.djl.nn.norm.BatchNorm", Own.class.getName(), FinalLinear.class.getName());
    assertThat(problems.get(0).remedy()).contains("GroupNorm", "ModelValidator.fix");
    assertThat(problems.get(1).problem()).contains("no rule", "'own'");
    assertThat(problems.get(1).remedy()).contains("freeze");
    assertThat(problems.get(2).problem()).contains("not final");
    assertThat(problems.get(2)).hasToString(problems.get(2).toString());
    assertThat(problems.get(0).toString())
        .startsWith("layer '02BatchNorm' (ai.djl.nn.norm.BatchNorm) mixes samples");
  }

  @Test
  void validate_batchNormWithoutAffineParameters_isAProblem() {
    // Its statistics would learn raw data and ship with the model all the same.
    SequentialBlock block =
        new SequentialBlock()
            .add(convolution(4))
            .add(BatchNorm.builder().optScale(false).optCenter(false).build());
    assertThat(ModelValidator.validate(block))
        .extracting(ModelProblem::path)
        .containsExactly("02BatchNorm");
  }

  @Test
  void validate_frozenAndDerivedBatchNorm_areProblems() {
    SequentialBlock block =
        new SequentialBlock()
            .add(convolution(4))
            .add(Recipe.frozen(BatchNorm.builder().build()))
            .add(GhostBatchNorm.builder().build())
            .add(new OwnBatchNorm());
    assertThat(ModelValidator.validate(block))
        .extracting(ModelProblem::path)
        .containsExactly("02BatchNorm", "03GhostBatchNorm", "04OwnBatchNorm");
  }

  @Test
  void validate_frozenModel_hasNothingToTrain() {
    assertThat(ModelValidator.validate(Recipe.frozen(Recipe.linear(3))))
        .singleElement()
        .satisfies(problem -> assertThat(problem.problem()).contains("no trainable parameter"));
  }

  @Test
  void validate_attachedModel_isRefused() {
    try (Model model = OneStep.model(new SequentialBlock().add(Recipe.linear(3)));
        PrivateTrainer trainer =
            PrivacyEngine.of(OneStep.everySample(SAMPLES, 1).build())
                .attach(model, new CapturingOptimizer())) {
      assertThat(trainer.stepsTaken()).isZero();
      Block block = model.getBlock();
      assertThatThrownBy(() -> ModelValidator.validate(block))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("detach");
      assertThatThrownBy(() -> ModelValidator.fix(block))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("detach");
    }
  }

  // ---------------------------------------------------------------- fix

  @ParameterizedTest(name = "{0} channels, {1} groups")
  @CsvSource({"1,1", "6,2", "7,1", "16,16", "48,16", "64,32", "96,32"})
  void fix_anyModel_groupsAreTheGreatestCommonDivisorWith32(int channels, int groups) {
    SequentialBlock before =
        new SequentialBlock().add(convolution(channels)).add(BatchNorm.builder().build());
    SequentialBlock after =
        new SequentialBlock().add(convolution(channels)).add(BatchNorm.builder().build());
    assertThat(ModelValidator.fix(before))
        .containsExactly(
            new Replacement(
                "02BatchNorm",
                "ai.djl.nn.norm.BatchNorm",
                "GroupNorm of gcd(32, channels) groups"));
    initialize(before);
    initialize(after);
    assertThat(ModelValidator.fix(after))
        .extracting(Replacement::replacement)
        .containsExactly("GroupNorm of " + groups + " groups, same scale and shift");
    for (SequentialBlock block : List.of(before, after)) {
      assertThat(((GroupNorm) block.getChildren().valueAt(1)).groups(channels)).isEqualTo(groups);
      assertThat(ModelValidator.validate(block)).isEmpty();
    }
  }

  @Test
  void fix_trainedModel_keepsScaleAndShift() {
    BatchNorm norm = BatchNorm.builder().optEpsilon(1e-2f).build();
    norm.getDirectParameters().get("beta").freeze(true);
    SequentialBlock block = new SequentialBlock().add(convolution(64)).add(norm);
    initialize(block);
    NDArray gamma = norm.getDirectParameters().get("gamma").getArray();
    gamma.setRequiresGradient(false);
    OneStep.normal(manager, 1, 1, 64).copyTo(gamma);
    OneStep.normal(manager, 2, 1, 64).copyTo(norm.getDirectParameters().get("beta").getArray());

    NDArray input = OneStep.normal(manager, 3, 2, SAMPLES, 3, 8, 8);
    NDArray hidden =
        block
            .getChildren()
            .valueAt(0)
            .forward(new ParameterStore(manager, false), new NDList(input), false)
            .head();
    float[] expected = groupNorm(hidden.toFloatArray(), norm, 32, 1e-2);
    assertThat(ModelValidator.fix(block)).hasSize(1);
    float[] actual =
        block
            .forward(new ParameterStore(manager, false), new NDList(input), true)
            .head()
            .toFloatArray();
    for (int j = 0; j < expected.length; j++) {
      assertThat(actual[j]).isCloseTo(expected[j], within(1e-4f));
    }
    Block group = block.getChildren().valueAt(1);
    assertThat(group.getDirectParameters().get("gamma").requiresGradient()).isTrue();
    assertThat(group.getDirectParameters().get("beta").requiresGradient()).isFalse();
  }

  /** Written out, on (B, 64, 8, 8) in float64. */
  private static float[] groupNorm(float[] x, BatchNorm norm, int groups, double epsilon) {
    float[] gamma = norm.getDirectParameters().get("gamma").getArray().toFloatArray();
    float[] beta = norm.getDirectParameters().get("beta").getArray().toFloatArray();
    int group = gamma.length / groups * 64;
    float[] y = new float[x.length];
    for (int from = 0; from < x.length; from += group) {
      double mean = 0;
      double square = 0;
      for (int j = from; j < from + group; j++) {
        mean += x[j] / (double) group;
      }
      for (int j = from; j < from + group; j++) {
        square += (x[j] - mean) * (x[j] - mean) / group;
      }
      for (int j = from; j < from + group; j++) {
        int channel = j / 64 % gamma.length;
        y[j] =
            (float) ((x[j] - mean) / Math.sqrt(square + epsilon) * gamma[channel] + beta[channel]);
      }
    }
    return y;
  }

  @Test
  void freezeStatistics_trainedModel_computesTheSameAndKeepsThem() throws Exception {
    Hoarder hoarder = new Hoarder();
    initialize(hoarder);
    HookedModel.walk(hoarder).stream()
        .filter(located -> located.block() instanceof BatchNorm)
        .forEach(
            located ->
                OneStep.normal(manager, 7, 1, 6)
                    .abs()
                    .copyTo(located.block().getDirectParameters().get("runningVar").getArray()));
    NDList input = new NDList(OneStep.normal(manager, 3, 2, SAMPLES, 3, 8, 8));
    ParameterStore store = new ParameterStore(manager, false);
    NDArray expected = hoarder.forward(store, input, false).head();
    assertThat(ModelValidator.freezeStatistics(hoarder)).hasSize(5);
    assertThat(hoarder.forward(store, input, true).head().sub(expected).abs().max().getFloat())
        .isLessThan(1e-4f);
    List<float[]> before = statistics(hoarder);
    train(hoarder);
    assertThat(statistics(hoarder)).usingRecursiveComparison().isEqualTo(before);
    assertThat(before).hasSize(10);
  }

  private static List<float[]> statistics(Block block) {
    return block.getParameters().values().stream()
        .filter(
            p ->
                p.getType() == Parameter.Type.RUNNING_MEAN
                    || p.getType() == Parameter.Type.RUNNING_VAR)
        .map(p -> p.getArray().toFloatArray())
        .toList();
  }

  @Test
  void freezeStatistics_withoutStatistics_isRefused() {
    assertThatThrownBy(() -> ModelValidator.freezeStatistics(new Hoarder()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("'02field'", "statistics to keep");
  }

  @Test
  void fix_normsWhereverAParentHoldsThem_replacesAll() {
    Hoarder hoarder = new Hoarder();
    assertThat(ModelValidator.fix(hoarder))
        .extracting(Replacement::path)
        .containsExactly("02field", "03list", "04fixed", "05map", "06array");
    assertThat(ModelValidator.validate(hoarder)).isEmpty();
    assertThat(hoarder.inOrder()).hasSize(5).allMatch(block -> block instanceof GroupNorm);
  }

  @Test
  void fix_uninitializedModel_trainsAfterwards() throws Exception {
    Hoarder hoarder = new Hoarder();
    ModelValidator.fix(hoarder);
    train(hoarder);
  }

  @Test
  void fix_initializedModel_trainsAfterwards() throws Exception {
    Hoarder hoarder = new Hoarder();
    initialize(hoarder);
    ModelValidator.fix(hoarder);
    train(hoarder);
  }

  private void train(Block block) throws Exception {
    NDList data = new NDList(OneStep.normal(manager, 1, 1, SAMPLES, 3, 8, 8));
    NDList labels = new NDList(OneStep.normal(manager, 2, 1, SAMPLES, 6, 8, 8));
    CapturingOptimizer optimizer = new CapturingOptimizer();
    try (Model model = OneStep.model(block);
        PrivateTrainer trainer =
            OneStep.engine(OneStep.everySample(SAMPLES, 1).build(), new SquaredError())
                .build()
                .attach(model, optimizer)) {
      trainer.initialize(new Shape(1, 3, 8, 8));
      PrivateBatch batch = trainer.batches(OneStep.dataset(data, labels)).iterator().next();
      trainer.trainBatch(batch);
      trainer.step();
      assertThat(optimizer.gradients).hasSize(2 + 2 * 5);
    }
  }

  @Test
  void fix_normUsedTwice_isReplacedByOne() {
    BatchNorm norm = BatchNorm.builder().build();
    SequentialBlock block = new SequentialBlock().add(convolution(4)).add(norm).add(norm);
    assertThat(ModelValidator.fix(block)).hasSize(1);
    assertThat(block.getChildren().valueAt(1)).isSameAs(block.getChildren().valueAt(2));
    assertThat(ModelValidator.validate(block)).isEmpty();
  }

  @Test
  void fix_modelWithoutBatchNorm_changesNothing() {
    Block block = Recipe.TRANSFORMER.model().getBlock();
    List<HookedModel.Located> before = HookedModel.walk(block);
    assertThat(ModelValidator.fix(block)).isEmpty();
    assertThat(HookedModel.walk(block)).isEqualTo(before);
  }

  @Test
  void fix_fixedModel_isSavedAndLoaded(@TempDir Path directory) throws Exception {
    try (Model saved = OneStep.model(new Hoarder());
        Model loaded = OneStep.model(new Hoarder())) {
      saved.getBlock().initialize(manager, DataType.FLOAT32, new Shape(1, 3, 8, 8));
      ModelValidator.fix(saved.getBlock());
      saved.save(directory, "fixed");
      ModelValidator.fix(loaded.getBlock());
      loaded.load(directory, "fixed");
      NDList input = new NDList(OneStep.normal(manager, 1, 1, SAMPLES, 3, 8, 8));
      ParameterStore store = new ParameterStore(manager, false);
      NDArray expected = saved.getBlock().forward(store, input, false).head();
      assertThat(loaded.getBlock().forward(store, input, false).head()).isEqualTo(expected);
    }
  }

  @Test
  void fix_rootThatIsABatchNorm_isRefused() {
    assertThatThrownBy(() -> ModelValidator.fix(BatchNorm.builder().build()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("root must hold BatchNorms and not be one", "GroupNorm");
  }

  @Test
  void fix_normThatCannotBeReplaced_isRefusedAndNothingChanges() {
    BatchNorm first = BatchNorm.builder().build();
    for (BatchNorm other : List.of(new OwnBatchNorm(), BatchNorm.builder().optAxis(3).build())) {
      SequentialBlock block = new SequentialBlock().add(first).add(other);
      assertThatThrownBy(() -> ModelValidator.fix(block))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContainingAll("'02", "build the block that holds it anew");
      assertThat(block.getChildren().valueAt(0)).isSameAs(first);
    }
  }

  @Test
  void fix_groupsOfASingleNumber_areRefused() {
    // Normalising one number gives zero: the network would be dead.
    SequentialBlock block =
        new SequentialBlock().add(Recipe.linear(16)).add(BatchNorm.builder().build());
    block.initialize(manager, DataType.FLOAT32, new Shape(1, 4));
    assertThatThrownBy(() -> ModelValidator.fix(block))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("more than one number", "16 groups", "LayerNorm");
  }

  private void initialize(Block block) {
    block.initialize(manager, DataType.FLOAT32, new Shape(1, 3, 8, 8));
  }

  private static Conv2d convolution(int filters) {
    return Conv2d.builder()
        .setKernelShape(new Shape(3, 3))
        .optPadding(new Shape(1, 1))
        .setFilters(filters)
        .build();
  }

  /** A user's BatchNorm, which may do anything. */
  private static final class OwnBatchNorm extends GhostBatchNorm {
    OwnBatchNorm() {
      super(GhostBatchNorm.builder());
    }
  }

  private static final class FinalLinear extends ai.djl.nn.core.Linear {
    FinalLinear() {
      super(builder().setUnits(4));
    }
  }

  /** A block with a parameter that no rule knows. */
  private static class Own extends AbstractBlock {
    @SuppressWarnings("this-escape")
    Own() {
      addParameter(
          Parameter.builder()
              .setName("own")
              .setType(Parameter.Type.WEIGHT)
              .optShape(new Shape(4))
              .build());
    }

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList inputs, boolean training, PairList<String, Object> params) {
      return inputs;
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
      return inputShapes;
    }
  }

  /** Keeps BatchNorms in every place a block can keep them. */
  private static final class Hoarder extends AbstractBlock {
    private final Block first = addChildBlock("first", convolution(6));
    private final Block field = addChildBlock("field", BatchNorm.builder().build());
    private final List<Block> list = new ArrayList<>();
    private final List<Block> fixed;
    private final Map<String, Block> map = new LinkedHashMap<>();
    private final Block[] array = new Block[1];

    @SuppressWarnings("this-escape")
    Hoarder() {
      list.add(addChildBlock("list", BatchNorm.builder().build()));
      fixed = List.of(addChildBlock("fixed", BatchNorm.builder().build()));
      map.put("x", addChildBlock("map", BatchNorm.builder().build()));
      array[0] = addChildBlock("array", BatchNorm.builder().build());
    }

    private List<Block> inOrder() {
      List<Block> norms = new ArrayList<>(List.of(field));
      norms.addAll(list);
      norms.addAll(fixed);
      norms.addAll(map.values());
      norms.add(array[0]);
      return norms;
    }

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList inputs, boolean training, PairList<String, Object> params) {
      NDArray h = first.forward(store, inputs, training).head();
      for (Block norm : inOrder()) {
        h = h.add(norm.forward(store, new NDList(h), training).head().tanh());
      }
      return new NDList(h);
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
      return first.getOutputShapes(inputShapes);
    }

    @Override
    protected void initializeChildBlocks(NDManager parent, DataType type, Shape... shapes) {
      first.initialize(parent, type, shapes);
      inOrder().forEach(norm -> norm.initialize(parent, type, first.getOutputShapes(shapes)));
    }
  }
}
