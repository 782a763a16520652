/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.plan;

import ai.fastdp.accounting.accountant.EpsilonBound;
import ai.fastdp.accounting.accountant.PrivacyAccountant;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.calibration.NoiseCalibration;
import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.clipping.QuantileQuery;
import java.util.function.Supplier;

/**
 * Finds the noise multiplier of a declared budget, or the budget of a declared noise multiplier,
 * and refuses numbers that promise next to nothing.
 */
final class PlanCalibration {
  // The guarantee beyond it says next to nothing about anyone.
  private static final double MAX_EPSILON = 100;
  // The standard deviations of the averaged gradient's noise that float32 sums can hold.
  private static final double MIN_DEVIATION = 1e-18;
  private static final double MAX_DEVIATION = 1e18;
  // Makes room for the last planned step in spite of rounding.
  private static final double ROUNDING = 1 + 1e-12;

  private final RunEvents events;
  private final Supplier<? extends PrivacyAccountant> accountant;
  private final long datasetSize;
  private final boolean largeDelta;
  private final boolean largeEpsilon;

  /**
   * A noise multiplier and a budget that belong together.
   *
   * @param noiseMultiplier the run's noise multiplier, before a schedule's factor
   * @param budget what the run may spend
   */
  record Result(double noiseMultiplier, PrivacyBudget budget) {}

  /**
   * @param events what the run releases
   * @param accountant makes accountants that have composed nothing
   * @param datasetSize the declared number of samples
   * @param largeDelta whether a delta of 1 / datasetSize and more is permitted
   * @param largeEpsilon whether an epsilon above 100 is permitted
   */
  PlanCalibration(
      RunEvents events,
      Supplier<? extends PrivacyAccountant> accountant,
      long datasetSize,
      boolean largeDelta,
      boolean largeEpsilon) {
    this.events = events;
    this.accountant = accountant;
    this.datasetSize = datasetSize;
    this.largeDelta = largeDelta;
    this.largeEpsilon = largeEpsilon;
    NeighboringRelation relation = accountant.get().relation();
    if (relation != NeighboringRelation.ADD_OR_REMOVE_ONE) {
      throw new IllegalArgumentException(
          "accountant must be for adding or removing one sample, got "
              + relation
              + "; Poisson sampling with a sum of clipped gradients is accounted that way");
    }
  }

  /** Finds the smallest noise multiplier for which the accountant proves the budget. */
  Result ofBudget(PrivacyBudget wanted) {
    requireSmallDelta(wanted);
    requireSmallEpsilon(wanted, "; choose a smaller one");
    events.query().ifPresent(query -> requireAffordable(query, wanted));
    return new Result(NoiseCalibration.noiseMultiplier(accountant, wanted, events::run), wanted);
  }

  /** Finds the budget that the run spends with this noise multiplier. */
  Result ofNoise(double noiseMultiplier, double delta) {
    PrivacyAccountant whole = accountant.get();
    whole.compose(events.run(noiseMultiplier));
    double epsilon =
        whole
            .epsilon(delta)
            .upper()
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "accountant must prove upper bounds, got "
                            + whole.name()
                            + "; an estimate cannot enforce a budget"));
    // The bound is zero where the noise is very large, and a budget is positive.
    PrivacyBudget spent = new PrivacyBudget(Math.max(epsilon * ROUNDING, Double.MIN_NORMAL), delta);
    requireSmallDelta(spent);
    requireSmallEpsilon(
        spent,
        " from noiseMultiplier "
            + noiseMultiplier
            + "; raise the noiseMultiplier or take fewer steps");
    return new Result(noiseMultiplier, spent);
  }

  private void requireSmallDelta(PrivacyBudget promised) {
    if (!largeDelta && promised.delta() >= 1.0 / datasetSize) {
      throw new IllegalArgumentException(
          "delta must be < 1 / datasetSize ("
              + 1.0 / datasetSize
              + "), got "
              + promised.delta()
              + ", which allows a run that publishes whole samples; choose it well below, or call"
              + " optLargeDelta()");
    }
  }

  private void requireSmallEpsilon(PrivacyBudget promised, String remedy) {
    if (!largeEpsilon && !(promised.epsilon() <= MAX_EPSILON)) {
      throw new IllegalArgumentException(
          "epsilon must be <= "
              + MAX_EPSILON
              + ", got "
              + promised.epsilon()
              + remedy
              + ", or call optLargeEpsilon()");
    }
  }

  /** Checks the price of the counts of unclipped samples, which no gradient noise lowers. */
  private void requireAffordable(QuantileQuery query, PrivacyBudget wanted) {
    PrivacyAccountant alone = accountant.get();
    alone.compose(events.queries(query));
    EpsilonBound bound = alone.epsilon(wanted.delta());
    if (!bound.isProvenWithin(wanted.epsilon())) {
      throw new IllegalArgumentException(
          "countNoise must be large enough for the quantile queries alone to stay within epsilon "
              + wanted.epsilon()
              + ", got "
              + query.countNoise()
              + ", which costs "
              + bound.upper()
              + "; raise countNoise (and the batch size with it)");
    }
  }

  /** Checks the noise that the mechanism will be asked for, before anything is trained. */
  static void requireUsableNoise(
      RunEvents events, StepClipping clipping, double noiseMultiplier, double batchSize) {
    for (double ofStep : events.noiseMultipliers(noiseMultiplier)) {
      events.noise().requireUsable(ofStep);
      clipping
          .clipNorms(events.steps())
          .map(clipNorm -> ofStep * clipping.function().sensitivity(clipNorm) / batchSize)
          .filter(deviation -> !(deviation >= MIN_DEVIATION && deviation <= MAX_DEVIATION))
          .findFirst()
          .ifPresent(PlanCalibration::refuseDeviation);
    }
  }

  private static void refuseDeviation(double deviation) {
    throw new IllegalArgumentException(
        "noiseMultiplier * sensitivity / expectedBatchSize must be in [1e-18, 1e18], got "
            + deviation
            + "; scale the loss");
  }
}
