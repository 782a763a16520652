/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options of {@link Gpt2Command}, as they were given. What was not given is null. */
final class Gpt2Options {

  @Option(
      names = "--data",
      paramLabel = "FILE",
      description =
          "The private training set: CSV with the columns mr and ref (E2E NLG), or a zip with "
              + "trainset.csv. Without it, the program trains on text that it generates.")
  @Nullable Path data;

  @Option(
      names = "--eval",
      paramLabel = "FILE",
      description =
          "The held-out set, in the same form (zip: devset.csv). "
              + "Default: devset.csv of the zip given by --data.")
  @Nullable Path eval;

  @Option(
      names = "--eval-samples",
      paramLabel = "N",
      description =
          "Held-out samples that the loss is measured on, evenly spaced in the file. "
              + "Default: ${DEFAULT-VALUE}.",
      defaultValue = "1000")
  int evalSamples;

  @Option(
      names = "--weights",
      paramLabel = "DIR",
      description =
          "Start from a Hugging Face GPT-2: config.json, model.safetensors and, without --tokenizer, "
              + "tokenizer.json. Without it, the weights are random.")
  @Nullable Path weights;

  @Option(
      names = "--tokenizer",
      paramLabel = "FILE",
      description = "A Hugging Face tokenizer.json. Default: one token per byte.")
  @Nullable Path tokenizer;

  @Option(
      names = "--layers",
      paramLabel = "N",
      description = "Layers of a model with random weights.")
  @Nullable Integer layers;

  @Option(
      names = "--width",
      paramLabel = "N",
      description = "Width of a model with random weights.")
  @Nullable Integer width;

  @Option(
      names = "--heads",
      paramLabel = "N",
      description = "Attention heads of a model with random weights.")
  @Nullable Integer heads;

  @Option(
      names = "--max-length",
      paramLabel = "TOKENS",
      description = "Tokens of a sample; a longer one is cut.")
  @Nullable Integer maxLength;

  @Option(
      names = "--epsilon",
      paramLabel = "EPSILON",
      description = "Target epsilon. Default: ${DEFAULT-VALUE}.",
      defaultValue = "3")
  double epsilon;

  @Option(
      names = "--delta",
      paramLabel = "DELTA",
      description = "Target delta, below 1 / sample size. Default: ${DEFAULT-VALUE}.",
      defaultValue = "1e-5")
  double delta;

  @Option(
      names = "--sample-size",
      paramLabel = "N",
      description =
          "The public number of training samples that the guarantee is computed for. "
              + "Default: the number of rows of the training set, which is public then.")
  @Nullable Integer sampleSize;

  @Option(
      names = "--batch-size",
      paramLabel = "N",
      description = "Expected number of samples in an update.")
  @Nullable Integer batchSize;

  @Option(
      names = "--physical-batch-size",
      paramLabel = "N",
      description = "Samples that go through the model at once; changes memory, not results.")
  @Nullable Integer physicalBatchSize;

  @Option(names = "--epochs", paramLabel = "N", description = "Expected passes over the data.")
  @Nullable Integer epochs;

  @Option(names = "--steps", paramLabel = "N", description = "Updates, instead of --epochs.")
  @Nullable Integer steps;

  @Option(names = "--learning-rate", paramLabel = "RATE", description = "Largest learning rate.")
  @Nullable Double learningRate;

  @Option(
      names = "--clipping",
      paramLabel = "FUNCTION",
      description = "One of: ${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}.",
      defaultValue = "AUTOMATIC")
  Clipping clipping = Clipping.AUTOMATIC;

  @Option(
      names = "--clip-norm",
      paramLabel = "NORM",
      description = "Bound on the contribution of a sample. Default: ${DEFAULT-VALUE}.",
      defaultValue = "1")
  double clipNorm;

  @Option(names = "--bias-only", description = "Train the biases only.")
  boolean biasOnly;

  @Option(names = "--non-private", description = "Train without privacy, to compare.")
  boolean nonPrivate;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description =
          "Seed of the random weights, the generated text and the samples at the end; never of the "
              + "noise or the choice of the private samples. Default: ${DEFAULT-VALUE}.",
      defaultValue = "1")
  int seed;

  @Option(
      names = "--report",
      paramLabel = "DIR",
      description = "Where summary.json goes. Default: ${DEFAULT-VALUE}.",
      defaultValue = "gpt2-report")
  Path report = Path.of("gpt2-report");

  /** How the contribution of a sample is bounded. */
  enum Clipping {
    /** Every gradient is scaled to about the clip norm. */
    AUTOMATIC,
    /** A gradient that is longer than the clip norm is shortened to it. */
    ABADI
  }
}
