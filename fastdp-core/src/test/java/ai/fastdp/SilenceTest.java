/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.modality.nlp.Decoder;
import ai.djl.modality.nlp.Encoder;
import ai.djl.modality.nlp.EncoderDecoder;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Blocks;
import ai.djl.nn.ParallelBlock;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.Dropout;
import ai.djl.nn.recurrent.GRU;
import ai.djl.nn.recurrent.LSTM;
import ai.djl.nn.recurrent.RNN;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import ai.fastdp.clipping.ClippingStyle;
import ai.fastdp.loss.PerSampleLoss;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.sampling.PrivateBatch;
import java.io.DataInputStream;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Right models that a check by rounding, by dropout or by inference mode would accuse. */
@Tag("slow")
final class SilenceTest {
  private static final int SAMPLES = 6;

  private NDManager manager;

  @BeforeEach
  void open() {
    manager = NDManager.newBaseManager("PyTorch");
  }

  @AfterEach
  void close() {
    manager.close();
  }

  @RepeatedTest(3)
  void train_deepReluConvolutions_isNotRefused() throws Exception {
    SequentialBlock block = new SequentialBlock();
    block.add(convolution(8)).add(Activation::relu);
    for (int i = 0; i < 8; i++) {
      block.add(residual(8));
    }
    block.add(Blocks.batchFlattenBlock()).add(Linear.builder().setUnits(3).build());
    train(block, OneStep.normal(manager, System.nanoTime(), 1, SAMPLES, 3, 12, 12), squares());
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(floats = {0.5f, 0.01f})
  void train_dropoutWhereTheGraphIsCut_isNotRefused(float rate) throws Exception {
    for (int run = 0; run < 5; run++) {
      SequentialBlock block = new SequentialBlock();
      for (int i = 0; i < 3; i++) {
        block.add(residual(3)).add(Dropout.builder().optRate(rate).build()).add(dropped(rate));
      }
      block.add(Blocks.batchFlattenBlock()).add(Linear.builder().setUnits(3).build());
      train(block, OneStep.normal(manager, run, 1, SAMPLES, 3, 6, 6), squares());
    }
  }

  @Test
  void train_recurrentLayersWithBiases_areNotRefused() throws Exception {
    // Autograd gives both biases of a gate the same array.
    for (Block recurrent :
        List.of(
            LSTM.builder().setStateSize(4).setNumLayers(1).build(),
            GRU.builder().setStateSize(4).setNumLayers(1).build(),
            RNN.builder()
                .setActivation(RNN.Activation.TANH)
                .setStateSize(4)
                .setNumLayers(1)
                .build())) {
      SequentialBlock block = new SequentialBlock();
      block.add(recurrent).add(Blocks.batchFlattenBlock());
      block.add(Linear.builder().setUnits(3).build());
      train(block, OneStep.normal(manager, 1, 1, SAMPLES, 5, 3), squares());
    }
  }

  @Test
  void train_noiseInBothModes_isNotRefused() throws Exception {
    Wiring block =
        new Wiring(
                (call, x) -> {
                  NDArray mean = call.run("a", x);
                  NDArray noise = mean.getManager().randomNormal(mean.getShape());
                  return call.run("b", mean.add(noise));
                })
            .part("a", Recipe.linear(4), 5)
            .part("b", Recipe.linear(3), 4);
    train(block, OneStep.normal(manager, 1, 1, SAMPLES, 5), squares());
  }

  @Test
  void train_choiceOfAnExpertByEachSample_isNotRefused() throws Exception {
    Wiring block =
        new Wiring(
                (call, x) -> {
                  NDArray one = call.run("a", x);
                  NDArray other = call.run("b", x);
                  NDArray choice = x.sum(new int[] {1}, true).gt(0);
                  NDArray first = choice.toType(DataType.FLOAT32, true);
                  return one.mul(first).add(other.mul(first.mul(-1).add(1)));
                })
            .part("a", Recipe.linear(4), 5)
            .part("b", Recipe.linear(4), 5);
    train(block, OneStep.normal(manager, 1, 1, SAMPLES, 5), squares());
  }

  @Test
  void train_castToFloat32InsideTheModel_isNotRefused() throws Exception {
    // Rounding that a computation in float64 does not take away.
    Wiring block =
        new Wiring(
                (call, x) -> {
                  NDArray constant = x.toType(DataType.FLOAT32, true).sin();
                  return call.run("b", call.run("a", x).tanh()).add(constant.get(":,:3"));
                })
            .part("a", Recipe.linear(64), 300)
            .part("b", Recipe.linear(3), 64);
    train(block, OneStep.normal(manager, 1, 1, SAMPLES, 300), squares());
  }

  @Test
  void train_encoderDecoderOfDjl_isNotRefused() throws Exception {
    Block block = new EncoderDecoder(new OneEncoder(), new OneDecoder());
    try (Model model = OneStep.model(block)) {
      block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 4), new Shape(1, 4));
      NDList data = new NDList(OneStep.normal(manager, 1, 1, SAMPLES, 4));
      NDList labels = new NDList(OneStep.normal(manager, 2, 1, SAMPLES, 4));
      PerSampleLoss loss = (y, outputs) -> outputs.head().sub(y.head()).square().sum(new int[] {1});
      OneStep.firstStep(
          model, data, labels, OneStep.engine(OneStep.everySample(SAMPLES, 1).build(), loss));
    }
  }

  @RepeatedTest(3)
  void train_layerLeftOutAtRandom_isNotRefused() throws Exception {
    Random chance = new Random();
    Wiring block =
        new Wiring(
                (call, x) -> {
                  NDArray h = call.run("a", x);
                  boolean kept = !call.training() || chance.nextInt(4) == 0;
                  return kept ? h.add(call.run("b", h).tanh()) : h;
                })
            .part("a", Recipe.linear(4), 5)
            .part("b", Recipe.linear(4), 4);
    train(block, OneStep.normal(manager, 1, 1, SAMPLES, 5), squares());
  }

  // ---------------------------------------------------------------- plumbing

  private static Conv2d convolution(int filters) {
    return Conv2d.builder()
        .setKernelShape(new Shape(3, 3))
        .optPadding(new Shape(1, 1))
        .setFilters(filters)
        .build();
  }

  /** x + f(x). */
  private static Block residual(int filters) {
    SequentialBlock inner =
        new SequentialBlock()
            .add(convolution(filters))
            .add(Activation::relu)
            .add(convolution(filters));
    return new ParallelBlock(
        list ->
            new NDList(
                list.get(0).head().add(list.get(1).head()).mul(0.7f).getNDArrayInternal().relu()),
        List.of(inner, Blocks.identityBlock()));
  }

  /** x + dropout(f(x)), with dropout that is the identity in inference mode. */
  private static Block dropped(float rate) {
    SequentialBlock inner =
        new SequentialBlock().add(convolution(3)).add(Dropout.builder().optRate(rate).build());
    return new ParallelBlock(
        list -> new NDList(list.get(0).head().add(list.get(1).head())),
        List.of(inner, Blocks.identityBlock()));
  }

  private static PerSampleLoss squares() {
    return (labels, outputs) -> outputs.head().sub(1).square().sum(new int[] {1});
  }

  private void train(Block block, NDArray data, PerSampleLoss loss) throws Exception {
    NDList labels = new NDList(manager.zeros(new Shape(data.getShape().get(0))));
    PrivacyPlan plan =
        OneStep.everySample(data.getShape().get(0), 1).optStyle(ClippingStyle.layerWise()).build();
    CapturingOptimizer optimizer = new CapturingOptimizer();
    try (Model model = OneStep.model(block);
        PrivateTrainer trainer = OneStep.engine(plan, loss).build().attach(model, optimizer)) {
      trainer.initialize(data.getShape());
      for (PrivateBatch batch : trainer.batches(OneStep.dataset(new NDList(data), labels))) {
        trainer.trainBatch(batch);
        trainer.step();
        batch.close();
        if (optimizer.updates == 5) {
          break;
        }
      }
    }
    assertThat(optimizer.updates).isEqualTo(5);
  }

  private static final class OneEncoder extends Encoder {
    OneEncoder() {
      super((byte) 1, Linear.builder().setUnits(4).build());
    }

    @Override
    public NDList getStates(NDList encoderOutput) {
      return encoderOutput;
    }

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList inputs, boolean training, PairList<String, Object> params) {
      return block.forward(store, inputs, training, params);
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
      return inputShapes;
    }

    @Override
    public void loadParameters(NDManager m, DataInputStream is) {}
  }

  private static final class OneDecoder extends Decoder {
    OneDecoder() {
      super((byte) 1, Linear.builder().setUnits(4).build());
    }

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList inputs, boolean training, PairList<String, Object> params) {
      NDArray both = inputs.get(0).add(inputs.get(1));
      return block.forward(store, new NDList(both), training, params);
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
      return inputShapes;
    }

    @Override
    public void loadParameters(NDManager m, DataInputStream is) {}
  }
}
