/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.run;

import ai.djl.nn.Parameter;
import ai.fastdp.accounting.accountant.EpsilonBound;
import ai.fastdp.accounting.ledger.PrivacyLedger;
import ai.fastdp.accounting.statement.NoiseOrigin;
import ai.fastdp.accounting.statement.PrivacyStatement;
import ai.fastdp.plan.ClippingState;
import ai.fastdp.plan.PlanManifest;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.plan.StepPlan;
import java.util.List;

/**
 * How far a run has come: the steps that its weights have taken, the steps that its ledger holds,
 * and what may be claimed of them.
 */
public final class RunRecord {
  private final PrivacyPlan plan;
  private final PlanManifest manifest;
  private final NoiseOrigin noise;
  private final boolean guarantees;
  private final PrivacyLedger ledger;
  private final Object budget;
  private final List<Parameter> parameters;
  private final StepCharges charges;
  private boolean open;
  private long taken;
  private ClippingState clipping;

  /**
   * @param noise where the run's noise comes from
   * @param guarantees whether the run has a guarantee
   * @param ledger what is charged
   * @param budget identifies the budget that the ledger keeps
   * @param parameters the model's parameters
   * @param charges charges the steps of all the engine's runs
   */
  public RunRecord(
      PrivacyPlan plan,
      PlanManifest manifest,
      NoiseOrigin noise,
      boolean guarantees,
      PrivacyLedger ledger,
      Object budget,
      List<Parameter> parameters,
      StepCharges charges) {
    this.plan = plan;
    this.manifest = manifest;
    this.noise = noise;
    this.guarantees = guarantees;
    this.ledger = ledger;
    this.budget = budget;
    this.parameters = parameters;
    this.charges = charges;
    clipping = plan.scheduledClipping(0);
  }

  /** Continues where a checkpoint was made. */
  public void resumeAt(long steps, ClippingState learned) {
    taken = steps;
    clipping = learned;
    if (steps > 0) {
      noteBudget();
    }
  }

  public PrivacyPlan plan() {
    return plan;
  }

  PlanManifest manifest() {
    return manifest;
  }

  NoiseOrigin noise() {
    return noise;
  }

  /**
   * Returns the number of steps that the weights have taken, those before a checkpoint included.
   */
  public long taken() {
    return taken;
  }

  /** Returns the number of steps that the ledger holds. */
  public long charged() {
    return ledger.charges();
  }

  /**
   * Steps that may still be taken, the one under way included: those that were charged and lost may
   * not be taken again, nor those whose samples other trainers of the engine have drawn.
   */
  public long left() {
    return plan.steps() - charged() + (open ? 1 : 0);
  }

  /**
   * Returns the number of steps up to the next whole epoch, the k-th of which ends with step
   * \(\lceil k N / B \rceil\), or those that are left.
   */
  public long leftInEpoch() {
    double epoch = Math.floor(taken * plan.expectedBatchSize() / plan.datasetSize()) + 1;
    double end = Math.ceil(epoch * plan.datasetSize() / plan.expectedBatchSize());
    return Math.min((long) end - taken, left());
  }

  /**
   * Charges a step, unless it is the one under way: its samples are about to be handed out. A step
   * that is given up stays charged, as dropping it for nothing would let batches be chosen by what
   * is in them.
   *
   * @throws ai.fastdp.accounting.ledger.PrivacyBudgetExceededException if the plan or the budget
   *     has no step left for it
   */
  public void begin(StepPlan step) {
    if (!open) {
      charges.charge(plan, ledger, step.event());
      open = true;
      if (taken > 0) {
        noteBudget();
      }
    }
  }

  /** Returns what clipping has learned so far. */
  public ClippingState clipping() {
    return clipping;
  }

  /** Returns what the next step uses. */
  public StepPlan nextStep() {
    return plan.step(taken, clipping);
  }

  /**
   * Notes that the step under way is about to be released.
   *
   * @throws IllegalStateException if no step has been charged
   */
  void release() {
    if (!open) {
      throw new IllegalStateException(
          "a step must be charged before it is released, got one that was not");
    }
    noteBudget();
  }

  private void noteBudget() {
    if (noise.isPrivate()) {
      ModelBudgets.spent(parameters, budget);
    } else if (!guarantees) {
      ModelBudgets.trainedWithoutGuarantee(parameters);
    }
  }

  /** Notes that the weights have taken a step, and the state of clipping after it. */
  void took(ClippingState next) {
    taken++;
    open = false;
    clipping = next;
  }

  /** Returns what was spent; infinite for a run without a guarantee. */
  public EpsilonBound spent() {
    return guarantees ? ledger.spent() : EpsilonBound.atMost(Double.POSITIVE_INFINITY);
  }

  public PrivacyStatement statement(String unit) {
    return PrivacyStatement.of(
        plan.newAccountant(),
        unit,
        ledger.charged(),
        plan.budget().delta(),
        manifest.clippingInWords(),
        noise,
        manifest.hash());
  }

  public void close() {
    ledger.close();
  }
}
