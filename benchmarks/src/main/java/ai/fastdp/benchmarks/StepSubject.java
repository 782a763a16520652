/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.benchmarks;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.fastdp.examples.gpt2.Gpt2;
import ai.fastdp.examples.gpt2.Gpt2Config;
import ai.fastdp.examples.resnet.ResNets;
import ai.fastdp.loss.PerSampleLoss;
import ai.fastdp.validation.ModelValidator;
import java.util.List;

/** What a step is timed on: a model, and random samples for it. */
interface StepSubject {
  /** A model, not yet initialized. */
  Block block();

  /** The shape of an input of one sample. */
  Shape inputShape();

  /** The loss of each sample. */
  PerSampleLoss loss();

  /** Random data. */
  NDArray data(NDManager manager, int batchSize);

  /** Random labels. */
  NDArray labels(NDManager manager, int batchSize);

  /** The subject that was described by {@link #arguments()}. */
  static StepSubject parse(List<String> arguments) {
    int[] numbers = arguments.stream().skip(1).mapToInt(Integer::parseInt).toArray();
    return switch (arguments.get(0)) {
      case "gpt2" -> new LanguageModel(numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]);
      case "resnet18" -> new ResNet18(numbers[0]);
      default -> throw new IllegalArgumentException(arguments.get(0));
    };
  }

  /** The subject in words for another process. */
  List<String> arguments();

  /** The GPT-2 of the example, on random tokens. */
  record LanguageModel(int vocabulary, int tokens, int width, int layers, int heads)
      implements StepSubject {
    @Override
    public Block block() {
      return new Gpt2(Gpt2Config.of(vocabulary, tokens, width, layers, heads));
    }

    @Override
    public Shape inputShape() {
      return new Shape(1, tokens);
    }

    @Override
    public PerSampleLoss loss() {
      return PerSampleLoss.sequenceCrossEntropy();
    }

    @Override
    public NDArray data(NDManager manager, int batchSize) {
      return ids(manager, batchSize);
    }

    @Override
    public NDArray labels(NDManager manager, int batchSize) {
      return ids(manager, batchSize);
    }

    private NDArray ids(NDManager manager, int batchSize) {
      return manager.randomInteger(0, vocabulary, new Shape(batchSize, tokens), DataType.INT64);
    }

    @Override
    public List<String> arguments() {
      return List.of("gpt2", "" + vocabulary, "" + tokens, "" + width, "" + layers, "" + heads);
    }
  }

  /** A ResNet-18 with GroupNorm and the stem for small images, on random images of ten classes. */
  record ResNet18(int image) implements StepSubject {
    private static final int CLASSES = 10;

    @Override
    public Block block() {
      Block block = ResNets.resNet18(CLASSES);
      ModelValidator.fix(block);
      return block;
    }

    @Override
    public Shape inputShape() {
      return new Shape(1, 3, image, image);
    }

    @Override
    public PerSampleLoss loss() {
      return PerSampleLoss.softmaxCrossEntropy();
    }

    @Override
    public NDArray data(NDManager manager, int batchSize) {
      return manager.randomNormal(new Shape(batchSize, 3, image, image));
    }

    @Override
    public NDArray labels(NDManager manager, int batchSize) {
      return manager.randomInteger(0, CLASSES, new Shape(batchSize), DataType.INT64);
    }

    @Override
    public List<String> arguments() {
      return List.of("resnet18", "" + image);
    }
  }
}
