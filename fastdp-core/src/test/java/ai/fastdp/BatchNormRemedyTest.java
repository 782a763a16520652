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
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.nn.transformer.BertBlock;
import ai.djl.nn.transformer.ScaledDotProductAttentionBlock;
import ai.djl.nn.transformer.TransformerEncoderBlock;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import ai.fastdp.validation.ModelProblem;
import ai.fastdp.validation.ModelValidator;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What is advised about a BatchNorm can be done, and what cannot be done is not advised. */
final class BatchNormRemedyTest {
  private static List<ModelProblem> normProblems(Block root) {
    return ModelValidator.validate(root).stream()
        .filter(problem -> problem.type().equals(BatchNorm.class.getName()))
        .toList();
  }

  @Test
  void fix_fieldDeclaredBatchNorm_namesTheFieldAndChangesNothing() {
    Declared block = new Declared();
    SequentialBlock root = new SequentialBlock().add(BatchNorm.builder().build()).add(block);
    assertThatThrownBy(() -> ModelValidator.fix(root))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll(
            "field 'bn' of " + Declared.class.getName(),
            "must be declared as ai.djl.nn.Block to hold a GroupNorm",
            "got type ai.djl.nn.norm.BatchNorm");
    assertThat(block.bn).isSameAs(block.getChildren().valueAt(0));
    assertThat(root.getChildren().valueAt(0)).isInstanceOf(BatchNorm.class);
    assertThat(normProblems(root).get(1).remedy())
        .startsWith("declare field 'bn' of " + Declared.class.getName() + " as ai.djl.nn.Block");
  }

  @Test
  void fix_arrayOfBatchNorms_namesTheArray() {
    SequentialBlock root = new SequentialBlock().add(new InArray());
    assertThatThrownBy(() -> ModelValidator.fix(root))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("array", "ai.djl.nn.Block to hold a GroupNorm");
    assertThat(normProblems(root).get(0).remedy()).contains("field 'norms'");
  }

  @Test
  void validate_fieldDeclaredBlock_advisesFixWhichWorks() {
    SequentialBlock root = new SequentialBlock().add(new DeclaredBlock());
    assertThat(normProblems(root).get(0).remedy()).startsWith("replace it by GroupNorm");
    assertThat(ModelValidator.fix(root)).hasSize(1);
    assertThat(ModelValidator.validate(root)).isEmpty();
  }

  @Test
  void validate_djlsTransformers_adviseToBuildAnewAndNotToFix() {
    Block encoder = new TransformerEncoderBlock(8, 2, 16, 0.1f, Activation::gelu);
    Block bert = BertBlock.builder().nano().setTokenDictionarySize(10).build();
    for (Block block : new Block[] {encoder, bert}) {
      SequentialBlock root = new SequentialBlock().add(block);
      assertThat(normProblems(root))
          .isNotEmpty()
          .allSatisfy(
              problem ->
                  assertThat(problem.remedy())
                      .contains("axis 2", "ScaledDotProductAttentionBlock")
                      .doesNotContain("ModelValidator"));
      assertThatThrownBy(() -> ModelValidator.fix(root))
          .hasMessageContaining("ScaledDotProductAttentionBlock");
    }
  }

  @Test
  void validate_wholeModelIsABatchNorm_advisesNothingThatFails() {
    assertThat(normProblems(BatchNorm.builder().build()).get(0).remedy())
        .doesNotContain("ModelValidator");
  }

  @Test
  void train_encoderOfTheAdvisedBlocks_passesTheSelfCheck() {
    try (NDManager manager = NDManager.newBaseManager("PyTorch");
        Model model = OneStep.model(new Encoder())) {
      model.getBlock().initialize(manager, DataType.FLOAT32, new Shape(1, 3, 8));
      assertThat(ModelValidator.validate(model.getBlock())).isEmpty();
      NDList data = new NDList(OneStep.normal(manager, 1, 1, 4, 3, 8));
      NDList labels = new NDList(OneStep.normal(manager, 2, 1, 4, 3, 8));
      assertThat(
              OneStep.firstStep(
                  model,
                  data,
                  labels,
                  OneStep.engine(OneStep.everySample(4, 1).build(), new SquaredError())))
          .isNotEmpty();
    }
  }

  /** The usual way to write a DJL block. */
  private static final class Declared extends AbstractBlock {
    private final BatchNorm bn = addChildBlock("bn", BatchNorm.builder().build());
    private final Linear head = addChildBlock("head", Linear.builder().setUnits(2).build());

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList inputs, boolean training, PairList<String, Object> params) {
      return head.forward(store, bn.forward(store, inputs, training), training);
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
      return head.getOutputShapes(inputShapes);
    }
  }

  private static final class DeclaredBlock extends AbstractBlock {
    private final Block bn = addChildBlock("bn", BatchNorm.builder().build());

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList inputs, boolean training, PairList<String, Object> params) {
      return bn.forward(store, inputs, training);
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
      return inputShapes;
    }
  }

  private static final class InArray extends AbstractBlock {
    private final BatchNorm[] norms = {addChildBlock("bn", BatchNorm.builder().build())};

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList inputs, boolean training, PairList<String, Object> params) {
      return norms[0].forward(store, inputs, training);
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
      return inputShapes;
    }
  }

  /** Attention and a feed-forward part with LayerNorm, as the advice says. */
  private static final class Encoder extends AbstractBlock {
    private final Block attention =
        addChildBlock(
            "attention",
            ScaledDotProductAttentionBlock.builder().setEmbeddingSize(8).setHeadCount(2).build());
    private final Block first = addChildBlock("norm", LayerNorm.builder().axis(2).build());
    private final Block wide = addChildBlock("wide", Linear.builder().setUnits(16).build());
    private final Block narrow = addChildBlock("narrow", Linear.builder().setUnits(8).build());
    private final Block second = addChildBlock("norm", LayerNorm.builder().axis(2).build());

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList inputs, boolean training, PairList<String, Object> params) {
      NDArray x = inputs.head();
      NDArray attended = attention.forward(store, new NDList(x, x, x), training).head();
      NDList h = first.forward(store, new NDList(x.add(attended)), training);
      NDArray hidden = Activation.gelu(wide.forward(store, h, training).head());
      NDArray out = narrow.forward(store, new NDList(hidden), training).head();
      return second.forward(store, new NDList(h.head().add(out)), training);
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
      return inputShapes;
    }

    @Override
    protected void initializeChildBlocks(NDManager manager, DataType type, Shape... inputShapes) {
      Shape x = inputShapes[0];
      attention.initialize(manager, type, x, x, x);
      first.initialize(manager, type, x);
      wide.initialize(manager, type, x);
      narrow.initialize(manager, type, new Shape(x.get(0), x.get(1), 16));
      second.initialize(manager, type, x);
    }
  }
}
