/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import ai.djl.modality.nlp.embedding.TrainableWordEmbedding;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.training.ParameterStore;
import ai.djl.training.initializer.NormalInitializer;
import ai.djl.util.PairList;
import ai.fastdp.nn.TiedLinear;
import java.util.ArrayList;
import java.util.List;

/**
 * GPT-2: learned positions, transformer layers with normalisation in front, causal attention,
 * tanh-GELU, and a head that is tied to the token embedding (or, on request, is not).
 *
 * <ul>
 *   <li>input: token ids (B, T), T at most {@link Gpt2Config#contextLength()}
 *   <li>output: logits (B, T, vocabulary)
 * </ul>
 *
 * <p>The first axis of every array between the blocks is the sample axis; the positions, too, are
 * looked up once for each sample. There is no dropout. Weights start from GPT-2's distribution:
 * normal with deviation 0.02, divided by the square root of twice the number of layers where a
 * projection adds to the residual stream.
 *
 * @see <a
 *     href="https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf">Radford
 *     et al. 2019</a>
 */
public final class Gpt2 extends AbstractBlock {

  private static final float INITIAL_DEVIATION = 0.02f;

  final Block tokenEmbedding;
  final Block positionEmbedding;
  final List<Gpt2Layer> layers;
  final Block finalNorm;
  final Block head;

  private final Gpt2Config config;

  /**
   * Makes a model with weights yet to be initialized or loaded.
   *
   * @param config its size
   */
  @SuppressWarnings("this-escape")
  public Gpt2(Gpt2Config config) {
    this.config = config;
    tokenEmbedding =
        addChildBlock("tokenEmbedding", table(config.vocabularySize(), config.width()));
    positionEmbedding =
        addChildBlock("positionEmbedding", table(config.contextLength(), config.width()));
    layers = new ArrayList<>();
    for (int i = 0; i < config.layers(); i++) {
      layers.add(addChildBlock("layer" + i, new Gpt2Layer(config)));
    }
    finalNorm = addChildBlock("finalNorm", layerNorm(config));
    head =
        addChildBlock(
            "head",
            config.tiedHead()
                ? new TiedLinear(tokenEmbedding)
                : Linear.builder().setUnits(config.vocabularySize()).optBias(false).build());

    setInitializer(new NormalInitializer(INITIAL_DEVIATION), Parameter.Type.WEIGHT);
    NormalInitializer residual =
        new NormalInitializer(INITIAL_DEVIATION / (float) Math.sqrt(2.0 * config.layers()));
    for (Gpt2Layer layer : layers) {
      layer.attention.projectionOut.setInitializer(residual, Parameter.Type.WEIGHT);
      layer.feedForward.contract.setInitializer(residual, Parameter.Type.WEIGHT);
    }
  }

  /**
   * Returns the size of this model.
   *
   * @return the configuration it was made with
   */
  public Gpt2Config config() {
    return config;
  }

  /**
   * Freezes all parameters but the biases of the linear layers and of the normalisations.
   *
   * @see <a href="https://arxiv.org/abs/2210.00036">Bu et al. 2022</a>
   */
  public void trainBiasesOnly() {
    for (Parameter parameter : getParameters().values()) {
      Parameter.Type type = parameter.getType();
      parameter.freeze(type != Parameter.Type.BIAS && type != Parameter.Type.BETA);
    }
  }

  /** {@inheritDoc} */
  @Override
  protected NDList forwardInternal(
      ParameterStore parameterStore,
      NDList inputs,
      boolean training,
      PairList<String, Object> params) {
    NDArray ids = inputs.head();
    checkInput(ids.getShape());
    NDArray positions =
        ids.getManager()
            .arange(0, Math.toIntExact(ids.getShape().get(1)), 1, DataType.INT64)
            .expandDims(0)
            .broadcast(ids.getShape());
    NDArray x =
        tokenEmbedding
            .forward(parameterStore, new NDList(ids), training)
            .singletonOrThrow()
            .add(
                positionEmbedding
                    .forward(parameterStore, new NDList(positions), training)
                    .singletonOrThrow());
    NDList hidden = new NDList(x);
    for (Gpt2Layer layer : layers) {
      hidden = layer.forward(parameterStore, hidden, training);
    }
    hidden = finalNorm.forward(parameterStore, hidden, training);
    return head.forward(parameterStore, hidden, training);
  }

  /** {@inheritDoc} */
  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    return new Shape[] {inputShapes[0].add(config.vocabularySize())};
  }

  /** {@inheritDoc} */
  @Override
  protected void initializeChildBlocks(NDManager manager, DataType dataType, Shape... inputShapes) {
    Shape ids = inputShapes[0];
    checkInput(ids);
    tokenEmbedding.initialize(manager, dataType, ids);
    positionEmbedding.initialize(manager, dataType, ids);
    Shape hidden = ids.add(config.width());
    for (Gpt2Layer layer : layers) {
      layer.initialize(manager, dataType, hidden);
    }
    finalNorm.initialize(manager, dataType, hidden);
    head.initialize(manager, dataType, hidden);
  }

  static Block layerNorm(Gpt2Config config) {
    return LayerNorm.builder().axis(2).optEpsilon(config.layerNormEpsilon()).build();
  }

  /** A table of rows, looked up by number; DJL's word embedding without a list of words. */
  private static Block table(int rows, int width) {
    return new TrainableWordEmbedding(
        TrainableWordEmbedding.builder().setEmbeddingSize(width).optNumEmbeddings(rows));
  }

  private void checkInput(Shape ids) {
    if (ids.dimension() != 2 || ids.get(1) < 1 || ids.get(1) > config.contextLength()) {
      throw new IllegalArgumentException(
          "token ids must have shape (B, T) with 1 <= T <= "
              + config.contextLength()
              + ", got "
              + ids);
    }
  }
}
