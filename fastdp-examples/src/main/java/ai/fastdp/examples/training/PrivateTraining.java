/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.training;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.training.GradientCollector;
import ai.djl.translate.TranslateException;
import ai.fastdp.PerformanceOptions;
import ai.fastdp.PrivacyEngine;
import ai.fastdp.PrivacyPlan;
import ai.fastdp.PrivateTrainer;
import ai.fastdp.accounting.PrivacyBudget;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.optim.DpAdamW;
import ai.fastdp.sampling.PrivateBatch;
import java.io.IOException;
import java.io.UncheckedIOException;

/** Fine-tuning with differential privacy. */
final class PrivateTraining {

  private PrivateTraining() {}

  /**
   * Fixes what decides the privacy of a run, and calibrates the noise.
   *
   * @throws InputException if the numbers do not fit together or the target is out of reach
   */
  static PrivacyPlan plan(FineTuning fineTuning) {
    if (fineTuning.delta() * fineTuning.sampleSize() >= 1) {
      throw new InputException(
          "--delta must be below 1 / sample size = "
              + 1.0 / fineTuning.sampleSize()
              + ", got "
              + fineTuning.delta());
    }
    PrivacyPlan plan;
    try {
      plan =
          PrivacyPlan.builder()
              .setSampleSize(fineTuning.sampleSize())
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
   * Takes all steps of a plan.
   *
   * @param job what is trained
   * @param plan what decides the privacy
   * @param fineTuning what does not
   * @param progress is told of each step
   * @return the epsilon that was spent, an upper bound
   */
  static double run(
      TrainingJob job, PrivacyPlan plan, FineTuning fineTuning, TrainingProgress progress) {
    Model model = job.model();
    PrivacyEngine engine =
        PrivacyEngine.builder(plan)
            .optLoss(job.loss())
            .optViewsPerSample(job.views())
            .optPerformance(
                PerformanceOptions.defaults().withPhysicalBatchSize(fineTuning.physicalBatchSize()))
            .optDevice(model.getNDManager().getDevice())
            .build();
    DpAdamW optimizer =
        DpAdamW.builder()
            .optLearningRateTracker(
                LearningRate.riseAndFall(fineTuning.learningRate(), fineTuning.steps()))
            .build();
    try (PrivateTrainer trainer = engine.attach(model, optimizer)) {
      trainer.initialize(job.inputShape());
      double loss = 0;
      int samples = 0;
      long begin = System.nanoTime();
      for (PrivateBatch batch : trainer.batches(job.dataset())) {
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
      return trainer.spent().upper().orElseThrow();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (TranslateException e) {
      throw new IllegalStateException(e);
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
}
