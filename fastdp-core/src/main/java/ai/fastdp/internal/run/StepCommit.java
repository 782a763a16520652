/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.run;

import ai.fastdp.accounting.ledger.PrivacyBudgetExceededException;
import ai.fastdp.internal.step.LogicalStep;
import ai.fastdp.internal.step.Replicas;
import ai.fastdp.mechanism.ClippedGradientSum;
import ai.fastdp.mechanism.NoiseMechanism;
import ai.fastdp.mechanism.PrivatizedGradient;
import ai.fastdp.optimizer.DpOptimizer;
import ai.fastdp.plan.ClippingState;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.plan.StepPlan;
import org.jspecify.annotations.Nullable;

/**
 * Completes a logical step, which was charged before its samples were handed out, in the order on
 * which privacy rests: noise, update, save, report.
 */
public final class StepCommit {
  private final RunRecord run;
  private final Replicas replicas;
  private final NoiseMechanism mechanism;
  private final DpOptimizer optimizer;
  private final @Nullable RunSaver saver;
  private final @Nullable ReportWriter report;

  public StepCommit(
      RunRecord run,
      Replicas replicas,
      NoiseMechanism mechanism,
      DpOptimizer optimizer,
      @Nullable RunSaver saver,
      @Nullable ReportWriter report) {
    this.run = run;
    this.replicas = replicas;
    this.mechanism = mechanism;
    this.optimizer = optimizer;
    this.saver = saver;
    this.report = report;
  }

  /**
   * Completes a step whose samples have all been added to the sum.
   *
   * @throws IllegalStateException if the step was not charged; nothing is released
   */
  public void complete(LogicalStep step) {
    StepPlan plan = step.plan();
    ClippedGradientSum sum = replicas.total();
    run.release();
    ClippingState next = nextClipping(sum);
    try (PrivatizedGradient gradient =
        mechanism.privatize(sum, plan.noiseMultiplier(), plan.sensitivity())) {
      optimizer.update(gradient);
    }
    replicas.parametersChanged();
    if (optimizer.copiesGradients()) {
      sum.clear();
    } else {
      // A view of the gradient that the optimizer has kept must not show the next raw sum.
      sum.renew();
    }
    run.took(next);
    if (saver != null && (saver.isDue(run.taken()) || run.left() == 0)) {
      save(saver);
    }
    if (report != null) {
      report.step(run, plan, optimizer.learningRate());
    }
  }

  /** Saves the completed steps before one that the ledger has refused. */
  public void refused(PrivacyBudgetExceededException refusal) {
    try {
      saveRest();
    } catch (RuntimeException notSaved) {
      refusal.addSuppressed(notSaved);
    }
  }

  /** Returns the state of clipping after the step, which has been charged. */
  private ClippingState nextClipping(ClippedGradientSum complete) {
    PrivacyPlan plan = run.plan();
    return plan.clipping()
        .quantileQuery()
        .map(
            query ->
                plan.adaptedClipping(
                    run.clipping(), query, mechanism.unclippedShare(complete, query.countNoise())))
        .orElseGet(() -> plan.scheduledClipping(run.taken() + 1));
  }

  /** Returns whether the run has checkpoints. */
  public boolean savesCheckpoints() {
    return saver != null;
  }

  /** Saves the completed steps that no checkpoint holds yet, if the run has checkpoints. */
  public void saveRest() {
    if (saver != null && saver.hasUnsaved(run.taken())) {
      save(saver);
    }
  }

  private void save(RunSaver to) {
    to.save(run.taken(), run.clipping(), mechanism.noisePosition());
  }
}
