/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.training;

import ai.fastdp.PrivacyPlan;
import org.jspecify.annotations.Nullable;

/** Fine-tunes a model, with privacy unless the user asked for none. */
public final class FineTuner {
  private final FineTuning fineTuning;
  private final @Nullable PrivacyPlan plan;

  /**
   * Fixes what decides the privacy, and calibrates the noise.
   *
   * @param fineTuning how the model learns
   * @param nonPrivate whether to do without privacy
   * @throws InputException if the numbers do not fit together or the target is out of reach
   */
  public FineTuner(FineTuning fineTuning, boolean nonPrivate) {
    this.fineTuning = fineTuning;
    plan = nonPrivate ? null : PrivateTraining.plan(fineTuning);
  }

  /**
   * Takes all steps.
   *
   * @param job what is trained
   * @param scope what a guarantee is for
   * @return how it went
   */
  public Outcome run(TrainingJob job, Guarantee.Scope scope) {
    try (TrainingProgress progress = new TrainingProgress("Fine-tuning", fineTuning.steps())) {
      Guarantee guarantee = null;
      if (plan == null) {
        OrdinaryTraining.run(job, fineTuning.schedule(), progress);
      } else {
        double epsilon = PrivateTraining.run(job, plan, fineTuning, progress);
        guarantee = new Guarantee(epsilon, plan, fineTuning.publicSampleSize(), scope);
      }
      return new Outcome(guarantee, fineTuning.steps(), progress.stepMillis());
    }
  }

  /**
   * How fine-tuning went.
   *
   * @param guarantee the privacy, if it was private
   * @param steps number of updates
   * @param stepMillis their durations
   */
  public record Outcome(@Nullable Guarantee guarantee, long steps, Summary.StepMillis stepMillis) {}
}
