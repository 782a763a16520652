/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.training;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.training.GradientCollector;
import ai.djl.translate.TranslateException;
import ai.fastdp.PerformanceOptions;
import ai.fastdp.PrivacyEngine;
import ai.fastdp.PrivacyEngineBuilder;
import ai.fastdp.PrivateTrainer;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.ledger.PrivacyBudgetExceededException;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.optim.DpAdamW;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.sampling.PrivateBatch;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.jspecify.annotations.Nullable;

/** Fine-tuning with differential privacy. */
final class PrivateTraining {

  private PrivateTraining() {}

  /**
   * Fixes what decides the privacy of a run, and calibrates the noise.
   *
   * @throws InputException if the numbers do not fit together or the target is out of reach
   */
  static PrivacyPlan plan(FineTuning fineTuning) {
    if (fineTuning.delta() * fineTuning.datasetSize() >= 1) {
      throw new InputException(
          "--delta must be below 1 / dataset size = "
              + 1.0 / fineTuning.datasetSize()
              + ", got "
              + fineTuning.delta());
    }
    PrivacyPlan plan;
    try {
      plan =
          PrivacyPlan.builder()
              .setDatasetSize(fineTuning.datasetSize())
              .setBatchSize(fineTuning.batchSize())
              .setSteps(fineTuning.steps())
              .setBudget(new PrivacyBudget(fineTuning.epsilon(), fineTuning.delta()))
              .setClipNorm(fineTuning.clipNorm())
              .optClipping(
                  switch (fineTuning.clipping()) {
                    case AUTOMATIC -> ClippingFunction.automatic();
                    case ABADI -> ClippingFunction.abadi();
                  })
              .build();
    } catch (IllegalArgumentException e) {
      throw new InputException(String.valueOf(e.getMessage()), e);
    }
    // All samples of a batch together have a norm of at most batch size times clip norm.
    if (plan.noiseMultiplier() >= plan.expectedBatchSize()) {
      throw new InputException(
          "--epsilon "
              + fineTuning.epsilon()
              + " is out of reach: each weight would get more noise than a whole batch has signal"
              + " (noise multiplier "
              + plan.noiseMultiplier()
              + "); raise --epsilon, --delta or --batch-size, or lower --epochs or --steps");
    }
    return plan;
  }

  /**
   * The engine of a run.
   *
   * @param job what is trained
   * @param plan what decides the privacy
   * @param fineTuning what does not
   * @param files where the run's files are, if it has any
   */
  static PrivacyEngineBuilder engine(
      TrainingJob job, PrivacyPlan plan, FineTuning fineTuning, @Nullable RunFiles files) {
    PrivacyEngineBuilder engine =
        PrivacyEngine.builder(plan)
            .optLoss(job.loss())
            .optViewsPerSample(job.views())
            .optPerformance(
                PerformanceOptions.defaults().withPhysicalBatchSize(fineTuning.physicalBatchSize()))
            .optDevice(job.model().getNDManager().getDevice());
    return files == null
        ? engine
        : engine.optLedger(files.ledger()).optCheckpoint(files.checkpoint(), files.everySteps());
  }

  /**
   * Takes all steps of the plan that are left.
   *
   * @param engine of {@link #engine}
   * @param job what is trained
   * @param fineTuning how
   * @param files where the run's files are, if it has any
   * @param progress is told of each step
   * @return what was done and spent
   * @throws InputException if the run's files do not belong to this run
   */
  static Result run(
      PrivacyEngine engine,
      TrainingJob job,
      FineTuning fineTuning,
      @Nullable RunFiles files,
      TrainingProgress progress) {
    try (PrivateTrainer trainer = trainer(engine, job, fineTuning, files)) {
      trainer.initialize(job.inputShape());
      progress.goOn(trainer.stepsCharged());
      String refusal = null;
      try {
        takeSteps(trainer, trainer.batches(job.dataset()), progress);
      } catch (PrivacyBudgetExceededException e) {
        // The run was over before: its last step has been taken and saved.
        refusal = e.getMessage();
      }
      return new Result(
          trainer.spent().upper().orElseThrow(),
          trainer.stepsTaken(),
          trainer.stepsCharged(),
          refusal);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (TranslateException e) {
      throw new IllegalStateException(e);
    }
  }

  private static PrivateTrainer trainer(
      PrivacyEngine engine, TrainingJob job, FineTuning fineTuning, @Nullable RunFiles files) {
    DpAdamW optimizer =
        DpAdamW.builder()
            .optLearningRateTracker(
                LearningRate.riseAndFall(fineTuning.learningRate(), fineTuning.steps()))
            .build();
    if (files == null) {
      return engine.attach(job.model(), optimizer);
    }
    try {
      return files.resumed()
          ? engine.resume(job.model(), optimizer)
          : engine.attach(job.model(), optimizer);
    } catch (IllegalStateException | UncheckedIOException e) {
      // Another plan, a damaged file, a ledger in use: the message says which.
      throw new InputException(String.valueOf(e.getMessage()), e);
    }
  }

  private static void takeSteps(
      PrivateTrainer trainer, Iterable<PrivateBatch> batches, TrainingProgress progress) {
    double loss = 0;
    int samples = 0;
    long begin = System.nanoTime();
    for (PrivateBatch batch : batches) {
      try (batch) {
        if (!batch.isEmpty()) {
          loss += batch.getSize() * meanLoss(trainer, batch);
          samples += batch.getSize();
        }
        trainer.step();
        if (batch.endsStep()) {
          double millis = (System.nanoTime() - begin) / 1e6;
          progress.step(millis, loss / samples, samples, trainer.spent().upper());
          loss = 0;
          samples = 0;
          begin = System.nanoTime();
        }
      }
    }
  }

  /** Adds the clipped gradients of a batch to the step, and returns its mean loss. */
  private static double meanLoss(PrivateTrainer trainer, PrivateBatch batch) {
    try (GradientCollector collector = trainer.newGradientCollector()) {
      NDList predictions = trainer.forward(batch.getData(), batch.getLabels());
      NDArray loss = trainer.getLoss().evaluate(batch.getLabels(), predictions);
      double value = loss.getFloat();
      collector.backward(loss);
      return value;
    }
  }

  /**
   * What a run has done and spent, in all its processes.
   *
   * @param epsilon the epsilon spent, an upper bound
   * @param stepsTaken the steps that the weights have taken
   * @param stepsCharged the steps that have been paid for
   * @param refusal why not one step was left; null if one was
   */
  record Result(double epsilon, long stepsTaken, long stepsCharged, @Nullable String refusal) {}
}
