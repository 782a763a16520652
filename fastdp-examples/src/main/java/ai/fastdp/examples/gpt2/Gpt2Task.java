/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import static ai.fastdp.examples.training.TrainingOptions.orElse;
import static ai.fastdp.examples.training.TrainingOptions.requirePositive;

import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.ArrayDataset;
import ai.fastdp.examples.training.FineTuning;
import ai.fastdp.examples.training.InputException;
import ai.fastdp.examples.training.OrdinaryTraining;
import ai.fastdp.examples.training.TrainingOptions;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * What {@link Gpt2Command} is to do, with everything read, checked and settled.
 *
 * @param tokenizer the tokenizer; closed with the task
 * @param config the size of the model
 * @param pretrained where the weights come from, if they are not random
 * @param pretraining public training, if there is any
 * @param training the private samples
 * @param heldOut the samples that the loss is measured on
 * @param maxLength tokens of a sample
 * @param fineTuning how the model learns from the private samples
 */
record Gpt2Task(
    TextTokenizer tokenizer,
    Gpt2Config config,
    @Nullable HuggingFaceGpt2 pretrained,
    @Nullable Pretraining pretraining,
    List<TextExample> training,
    List<TextExample> heldOut,
    int maxLength,
    FineTuning fineTuning)
    implements AutoCloseable {

  /**
   * Logits that go through the model at once, unless the user says how many samples do: 128 MiB.
   */
  private static final long LOGITS_AT_ONCE = 1L << 25;

  private static final int LARGEST_PHYSICAL_BATCH = 64;

  private static final TrainingOptions.Defaults GENERATED =
      new TrainingOptions.Defaults(3, 160, 1, 3e-3);
  private static final TrainingOptions.Defaults FILES =
      new TrainingOptions.Defaults(3, 256, 3, 1e-3);

  private static final String TRAINING_ENTRY = "trainset.csv";
  private static final String HELD_OUT_ENTRY = "devset.csv";

  /**
   * Reads and checks everything that the options name.
   *
   * @throws InputException if something is wrong with them
   */
  static Gpt2Task of(Gpt2Options options) {
    return options.data == null ? generated(options) : fromFiles(options, options.data);
  }

  /** Encodes samples for this task's model; see {@link EncodedExample#dataset}. */
  ArrayDataset dataset(
      NDManager manager, List<TextExample> examples, int batchSize, boolean shuffled) {
    return EncodedExample.dataset(manager, examples, tokenizer, maxLength, batchSize, shuffled);
  }

  @Override
  public void close() {
    tokenizer.close();
  }

  /** The run without files: a model of bytes, and text of {@link RestaurantGrammar}. */
  private static Gpt2Task generated(Gpt2Options options) {
    if (options.eval != null || options.weights != null || options.tokenizer != null) {
      throw new InputException("--eval, --weights and --tokenizer need --data");
    }
    int datasetSize = options.training.generatedSamples(48_000);
    Random random = new Random(options.training.seed());
    List<TextExample> training = RestaurantGrammar.PRIVATE.draw(random, datasetSize);
    List<TextExample> heldOut = RestaurantGrammar.PRIVATE.draw(random, 500);
    List<TextExample> publicText = RestaurantGrammar.PUBLIC.draw(random, 20_000);
    TextTokenizer tokenizer = new ByteTokenizer();
    int maxLength = orElse(options.maxLength, 104);
    requirePositive("--max-length", maxLength);
    Gpt2Config config = randomConfig(options, tokenizer, maxLength, 2, 96, 4);
    requireTargets(heldOut, tokenizer, maxLength);
    return new Gpt2Task(
        tokenizer,
        config,
        null,
        new Pretraining(publicText, 32, 700, 4e-3),
        training,
        heldOut,
        maxLength,
        options.training.fineTuning(training.size(), samplesAtOnce(config, maxLength), GENERATED));
  }

  private static Gpt2Task fromFiles(Gpt2Options options, Path data) {
    Path eval = options.eval;
    if (eval == null) {
      if (!E2eFile.isZip(data)) {
        throw new InputException("--data needs --eval, unless it is a zip with " + HELD_OUT_ENTRY);
      }
      eval = data;
    }
    HuggingFaceGpt2 pretrained =
        options.weights == null ? null : new HuggingFaceGpt2(options.weights);
    if (pretrained != null
        && (options.layers != null || options.width != null || options.heads != null)) {
      throw new InputException("--layers, --width and --heads are for a model without --weights");
    }
    TextTokenizer tokenizer = tokenizer(options);
    try {
      int contextLength =
          pretrained == null ? Integer.MAX_VALUE : pretrained.config().contextLength();
      int maxLength = orElse(options.maxLength, Math.min(100, contextLength));
      requirePositive("--max-length", maxLength);
      if (maxLength > contextLength) {
        throw new InputException(
            "--max-length must be at most the model's " + contextLength + ", got " + maxLength);
      }
      Gpt2Config config =
          pretrained == null
              ? randomConfig(options, tokenizer, maxLength, 2, 128, 4)
              : pretrained.config();
      if (config.vocabularySize() != tokenizer.vocabularySize()) {
        throw new InputException(
            "the tokenizer must have as many tokens as the model, "
                + config.vocabularySize()
                + ", got "
                + tokenizer.vocabularySize());
      }
      List<TextExample> training = E2eFile.read(data, TRAINING_ENTRY);
      List<TextExample> heldOut =
          evenlySpaced(E2eFile.read(eval, HELD_OUT_ENTRY), options.evalSamples);
      requireTargets(heldOut, tokenizer, maxLength);
      return new Gpt2Task(
          tokenizer,
          config,
          pretrained,
          null,
          training,
          heldOut,
          maxLength,
          options.training.fineTuning(training.size(), samplesAtOnce(config, maxLength), FILES));
    } catch (RuntimeException e) {
      tokenizer.close();
      throw e;
    }
  }

  private static void requireTargets(
      List<TextExample> heldOut, TextTokenizer tokenizer, int maxLength) {
    if (heldOut.stream()
        .noneMatch(example -> EncodedExample.of(example, tokenizer, maxLength).hasTarget())) {
      throw new InputException(
          "--max-length " + maxLength + " cuts off every reference of the held-out set");
    }
  }

  /** At most {@code count} examples, at equal distances: files are often sorted. */
  private static List<TextExample> evenlySpaced(List<TextExample> examples, int count) {
    requirePositive("--eval-samples", count);
    int size = examples.size();
    if (count >= size) {
      return examples;
    }
    return IntStream.range(0, count)
        .mapToObj(i -> examples.get((int) ((long) i * size / count)))
        .toList();
  }

  private static TextTokenizer tokenizer(Gpt2Options options) {
    if (options.tokenizer != null) {
      return new BpeTokenizer(options.tokenizer);
    }
    return options.weights == null
        ? new ByteTokenizer()
        : new BpeTokenizer(options.weights.resolve("tokenizer.json"));
  }

  private static Gpt2Config randomConfig(
      Gpt2Options options,
      TextTokenizer tokenizer,
      int maxLength,
      int layers,
      int width,
      int heads) {
    try {
      return Gpt2Config.of(
          tokenizer.vocabularySize(),
          maxLength,
          orElse(options.width, width),
          orElse(options.layers, layers),
          orElse(options.heads, heads));
    } catch (IllegalArgumentException | ArithmeticException e) {
      throw new InputException("--layers, --width, --heads: " + e.getMessage(), e);
    }
  }

  private static int samplesAtOnce(Gpt2Config config, int maxLength) {
    long samples = LOGITS_AT_ONCE / ((long) config.vocabularySize() * maxLength);
    return (int) Math.max(1, Math.min(LARGEST_PHYSICAL_BATCH, samples));
  }

  /**
   * Public training from random weights.
   *
   * @param examples the public text
   * @param batchSize samples in an update
   * @param steps number of updates
   * @param learningRate the largest learning rate
   */
  record Pretraining(List<TextExample> examples, int batchSize, int steps, double learningRate) {

    OrdinaryTraining.Schedule schedule() {
      return new OrdinaryTraining.Schedule(steps, batchSize, learningRate);
    }
  }
}
