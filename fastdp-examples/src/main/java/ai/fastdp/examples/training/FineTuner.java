/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.training;

import ai.fastdp.plan.PrivacyPlan;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Fine-tunes a model, with privacy unless the user asked for none. */
public final class FineTuner {
  private final FineTuning fineTuning;
  private final @Nullable PrivacyPlan plan;
  private final @Nullable RunFiles files;

  /**
   * Fixes what decides the privacy, and calibrates the noise.
   *
   * @param fineTuning how the model learns
   * @param options say whether to do without privacy, and where the run's files are
   * @throws InputException if the numbers do not fit together or the target is out of reach
   */
  public FineTuner(FineTuning fineTuning, TrainingOptions options) {
    this.fineTuning = fineTuning;
    plan = options.nonPrivate() ? null : PrivateTraining.plan(fineTuning);
    files = options.runFiles();
  }

  /** {@return whether the weights come from a checkpoint, whatever the model starts with} */
  public boolean resumes() {
    return files != null && files.resumed();
  }

  /**
   * The model's score before training: that of the run's beginning, if this one goes on.
   *
   * @param measure measures it
   * @return the score
   */
  public Score before(Supplier<Score> measure) {
    if (files == null) {
      return measure.get();
    }
    if (files.resumed()) {
      return files.kept();
    }
    Score score = measure.get();
    files.keep(score);
    return score;
  }

  /**
   * Takes all steps that are left.
   *
   * @param job what is trained
   * @param scope what a guarantee is for
   * @return how it went
   */
  public Outcome run(TrainingJob job, Guarantee.Scope scope) {
    try (TrainingProgress progress = new TrainingProgress("Fine-tuning", fineTuning.steps())) {
      if (plan == null) {
        OrdinaryTraining.run(job, fineTuning.schedule(), progress);
        return new Outcome(null, fineTuning.steps(), null, progress.stepMillis());
      }
      PrivateTraining.Result result =
          PrivateTraining.run(
              PrivateTraining.engine(job, plan, fineTuning, files).build(),
              job,
              fineTuning,
              files,
              progress);
      return new Outcome(
          new Guarantee(
              result.epsilon(), result.stepsCharged(), plan, fineTuning.publicDatasetSize(), scope),
          result.stepsTaken(),
          result.refusal(),
          progress.stepMillis());
    }
  }

  /**
   * How fine-tuning went.
   *
   * @param guarantee the privacy, if it was private
   * @param steps number of updates that the weights have taken
   * @param refusal why not one step was left to take; null if one was
   * @param stepMillis the durations of the updates of this process
   */
  public record Outcome(
      @Nullable Guarantee guarantee,
      long steps,
      @Nullable String refusal,
      Summary.StepMillis stepMillis) {}
}
