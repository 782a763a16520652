/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.Dataset;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.translate.TranslateException;
import ai.fastdp.accounting.ledger.PrivacyBudgetExceededException;
import ai.fastdp.internal.hook.SampleAxes;
import ai.fastdp.internal.run.RunRecord;
import ai.fastdp.sampling.DrawnSamples;
import ai.fastdp.sampling.PoissonBatches;
import ai.fastdp.sampling.PoissonSampler;
import java.io.IOException;
import java.util.concurrent.ExecutorService;
import java.util.function.IntSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Draws a run's batches from the private data set, by Poisson sampling at the plan's rate.
 *
 * <p>The sample of a step is kept until the step is complete, whoever asks for batches again.
 */
final class BatchSource {
  private final RunRecord run;
  private final EngineSettings settings;
  private final IntSupplier microBatchSize;
  private final DrawnSamples samples;
  private @Nullable PoissonBatches latest;
  private @Nullable Dataset privateData;

  BatchSource(RunRecord run, EngineSettings settings, IntSupplier microBatchSize) {
    this.run = run;
    this.settings = settings;
    this.microBatchSize = microBatchSize;
    samples = new DrawnSamples(new PoissonSampler(run.plan().sampleRate(), settings.sampling()));
  }

  /** Returns whether a loop that asks for a data set's batches evaluates it. */
  boolean isEvaluated(Dataset dataset) {
    return switch (EasyTrainCall.current()) {
      case EVALUATION -> true;
      case TRAINING -> false;
      case NONE -> privateData != null && privateData != dataset;
    };
  }

  /**
   * Checks that steps are left and that the data set is the one that was planned for.
   *
   * @throws PrivacyBudgetExceededException if no steps are left
   */
  void requirePlanned(RandomAccessDataset dataset, long steps) {
    if (steps <= 0) {
      throw new PrivacyBudgetExceededException(
          "steps must be <= "
              + run.plan().steps()
              + ", got a request for more after all of them; plan a longer run with its own"
              + " budget");
    }
    // A data set of quite another size than declared is most likely not the planned one.
    long declared = run.plan().datasetSize();
    long size = dataset.size();
    if (!settings.anyDataSize() && (size > 2 * declared || 2 * size < declared)) {
      throw new IllegalArgumentException(
          "data set must have between half and twice the "
              + declared
              + " samples that the plan declares, got "
              + (size > declared ? "more" : "fewer")
              + "; declare its size by the plan's setDatasetSize, or call optAnyDataSize() on the"
              + " engine's builder");
    }
  }

  /** Returns the micro-batches of the next steps, in place of those of earlier calls. */
  PoissonBatches draw(
      RandomAccessDataset dataset,
      long steps,
      NDManager manager,
      @Nullable ExecutorService executor)
      throws IOException, TranslateException {
    SampleAxes axes = settings.axes();
    PoissonBatches drawn =
        new PoissonBatches(
            dataset,
            manager,
            executor,
            samples,
            axes.data().number(),
            axes.labels().number(),
            microBatchSize,
            run.taken() + 1,
            steps,
            run.plan().steps(),
            settings.padTo(),
            settings.selfCheck());
    latest = drawn;
    privateData = dataset;
    return drawn;
  }

  /** Checks that a batch is asked for from the latest batches. */
  void requireLatest(PoissonBatches drawn) {
    if (drawn != latest) {
      throw new IllegalStateException(
          "batches must come from the latest call of batches(dataset), got one from an earlier"
              + " call; it ended when the next one began");
    }
  }

  /** Forgets the samples of the steps that the weights have taken. */
  void forgetCompleted() {
    samples.complete(run.taken());
  }
}
