/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import ai.fastdp.examples.training.TrainingOptions;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The options of {@link Gpt2Command}, as they were given. What was not given is null. */
final class Gpt2Options {

  @Mixin final TrainingOptions training = new TrainingOptions();

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

  @Option(names = "--bias-only", description = "Train the biases only.")
  boolean biasOnly;
}
