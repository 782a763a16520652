/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.training;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options that every example has. */
public final class TrainingOptions {

  @Option(names = "--epsilon", paramLabel = "EPSILON", description = "Target epsilon.")
  private @Nullable Double epsilon;

  @Option(
      names = "--delta",
      paramLabel = "DELTA",
      description = "Target delta, below 1 / dataset size. Default: ${DEFAULT-VALUE}.",
      defaultValue = "1e-5")
  private double delta;

  @Option(
      names = "--dataset-size",
      paramLabel = "N",
      description =
          "The public number of training samples that the guarantee is computed for. "
              + "Default: the number of rows of the training set, which is public then.")
  private @Nullable Integer datasetSize;

  @Option(
      names = "--batch-size",
      paramLabel = "N",
      description = "Expected number of samples in an update.")
  private @Nullable Integer batchSize;

  @Option(
      names = "--physical-batch-size",
      paramLabel = "N",
      description = "Samples that go through the model at once; changes memory, not results.")
  private @Nullable Integer physicalBatchSize;

  @Option(names = "--epochs", paramLabel = "N", description = "Expected passes over the data.")
  private @Nullable Integer epochs;

  @Option(names = "--steps", paramLabel = "N", description = "Updates, instead of --epochs.")
  private @Nullable Integer steps;

  @Option(names = "--learning-rate", paramLabel = "RATE", description = "Largest learning rate.")
  private @Nullable Double learningRate;

  @Option(
      names = "--clipping",
      paramLabel = "FUNCTION",
      description = "One of: ${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}.",
      defaultValue = "AUTOMATIC")
  private Clipping clipping = Clipping.AUTOMATIC;

  @Option(
      names = "--clip-norm",
      paramLabel = "NORM",
      description = "Bound on the contribution of a sample. Default: ${DEFAULT-VALUE}.",
      defaultValue = "1")
  private double clipNorm;

  @Option(names = "--non-private", description = "Train without privacy, to compare.")
  private boolean nonPrivate;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description =
          "Seed of the random weights, the generated data and what is drawn at the end; never of"
              + " the noise or the choice of the private samples. Default: ${DEFAULT-VALUE}.",
      defaultValue = "1")
  private int seed;

  @Option(
      names = "--save",
      paramLabel = "DIR",
      description = "Where the trained weights go, in DJL's form. Default: they are not kept.")
  private @Nullable Path save;

  @Option(
      names = "--report",
      paramLabel = "DIR",
      description = "Where summary.json goes. Default: the example's name and -report.")
  private @Nullable Path report;

  @Option(
      names = "--checkpoint",
      paramLabel = "DIR",
      description =
          "Where the ledger and the checkpoints of a run go, so that it can go on after its process"
              + " has ended. Default: they are not kept.")
  private @Nullable Path checkpoint;

  @Option(
      names = "--checkpoint-every",
      paramLabel = "N",
      description =
          "Updates between two checkpoints. Those after the last one are lost, and stay charged, "
              + "when the process is killed. Default: 20.")
  private @Nullable Integer checkpointEvery;

  @Option(
      names = "--resume",
      description = "Go on with the run in --checkpoint; all other options as they were.")
  private boolean resume;

  /** Made by the command line parser. */
  public TrainingOptions() {}

  /**
   * Settles how the model learns.
   *
   * @param rows the number of samples in the training set, public unless --dataset-size is given
   * @param samplesAtOnce the largest number of samples that go through the model at once by default
   * @param defaults what the example takes for options that were not given
   * @return how the model learns
   * @throws InputException if the options do not fit together
   */
  public FineTuning fineTuning(int rows, int samplesAtOnce, Defaults defaults) {
    if (epochs != null && steps != null) {
      throw new InputException("--epochs and --steps exclude each other");
    }
    int batch = orElse(batchSize, defaults.batchSize);
    int samples = orElse(datasetSize, rows);
    int physicalBatch = orElse(physicalBatchSize, Math.min(batch, samplesAtOnce));
    int expectedEpochs = orElse(epochs, defaults.epochs);
    requirePositive("--dataset-size", samples);
    requirePositive("--batch-size", batch);
    requirePositive("--physical-batch-size", physicalBatch);
    requirePositive("--epochs", expectedEpochs);
    // The expected passes over the data as a number of updates, rounded up.
    int updates =
        orElse(steps, Math.toIntExact(((long) samples * expectedEpochs + batch - 1) / batch));
    requirePositive("--steps", updates);
    double rate = orElse(learningRate, defaults.learningRate);
    if (!(rate > 0) || Double.isInfinite(rate)) {
      throw new InputException("--learning-rate must be finite and > 0, got " + rate);
    }
    if (batch > samples) {
      throw new InputException(
          "--batch-size must be at most the dataset size " + samples + ", got " + batch);
    }
    return new FineTuning(
        samples,
        datasetSize != null,
        batch,
        physicalBatch,
        updates,
        rate,
        orElse(epsilon, defaults.epsilon),
        delta,
        clipNorm,
        clipping);
  }

  /**
   * The number of training samples to generate, where an example generates them.
   *
   * @param other what is taken if --dataset-size was not given
   * @return a positive number
   */
  public int generatedSamples(int other) {
    int samples = orElse(datasetSize, other);
    requirePositive("--dataset-size", samples);
    return samples;
  }

  /** {@return the seed of everything that may be repeated} */
  public int seed() {
    return seed;
  }

  /** {@return whether to train without privacy} */
  public boolean nonPrivate() {
    return nonPrivate;
  }

  /**
   * The files of a run that can be gone on with; makes their directory.
   *
   * @return where they are, or null if nothing is kept
   * @throws InputException if the options do not fit together, or the directory does not hold what
   *     they need
   */
  public @Nullable RunFiles runFiles() {
    if (checkpoint == null) {
      if (resume || checkpointEvery != null) {
        throw new InputException("--resume and --checkpoint-every need --checkpoint");
      }
      return null;
    }
    if (nonPrivate) {
      throw new InputException("--checkpoint is for private training, got --non-private");
    }
    return new RunFiles(checkpoint, orElse(checkpointEvery, 20), resume);
  }

  /** {@return where the trained weights go, if they are kept} */
  public @Nullable Path save() {
    return save;
  }

  /**
   * Where the summary goes.
   *
   * @param example the name of the example
   * @return the directory
   */
  public Path report(String example) {
    return orElse(report, Path.of(example + "-report"));
  }

  /**
   * Checks an option's value.
   *
   * @param name the option
   * @param value its value
   * @throws InputException if it is not positive
   */
  public static void requirePositive(String name, int value) {
    if (value <= 0) {
      throw new InputException(name + " must be > 0, got " + value);
    }
  }

  /**
   * The value of an option, or its default.
   *
   * @param <T> the option's type
   * @param value as given, or null
   * @param other the default
   * @return the value to use
   */
  public static <T> T orElse(@Nullable T value, T other) {
    return value == null ? other : value;
  }

  /**
   * What an example takes for options that were not given.
   *
   * @param epsilon target epsilon
   * @param batchSize expected number of samples in an update
   * @param epochs expected passes over the data
   * @param learningRate the largest learning rate
   */
  public record Defaults(double epsilon, int batchSize, int epochs, double learningRate) {}

  /** How the contribution of a sample is bounded. */
  public enum Clipping {
    /** Every gradient is scaled to about the clip norm. */
    AUTOMATIC,
    /** A gradient that is longer than the clip norm is shortened to it. */
    ABADI
  }
}
