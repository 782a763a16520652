/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.solve;

import ai.fastdp.accounting.internal.loss.DominatingPair;
import ai.fastdp.accounting.internal.loss.EpsilonInterval;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * Independent steps in one direction: the sum of their privacy losses.
 *
 * @param parts the different steps
 */
public record LossComposition(List<Part> parts) {

  /**
   * Equal steps.
   *
   * @param pair one step
   * @param count how many
   */
  public record Part(DominatingPair pair, long count) {}

  /** Returns K and its derivatives, added over all steps. */
  DominatingPair.Cumulant cumulant(double c) {
    double value = 0;
    double mean = 0;
    double variance = 0;
    for (Part part : parts) {
      DominatingPair.Cumulant one = part.pair().cumulant(c);
      value += part.count() * one.value();
      mean += part.count() * one.mean();
      variance += part.count() * one.variance();
    }
    return new DominatingPair.Cumulant(value, mean, variance);
  }

  /** {@return the number of steps, which may exceed the range of long} */
  public double steps() {
    return parts.stream().mapToDouble(Part::count).sum();
  }

  /** Returns whether the total loss is certain not to exceed epsilon. */
  public boolean isAtMost(double epsilon) {
    return highestLoss() * (1 + 1e-12) <= epsilon;
  }

  private double highestLoss() {
    return parts.stream().mapToDouble(part -> part.count() * part.pair().highestLoss()).sum();
  }

  /**
   * Bounds the epsilon at which delta falls to e^{logDelta}, from the highest loss H and its
   * probability m alone: \(\delta(\varepsilon) \ge m (1 - e^{\varepsilon - H})\), and 0 from H on.
   */
  EpsilonInterval fromHighestLoss(double logDelta) {
    double highest = highestLoss();
    double logMass =
        parts.stream()
            .mapToDouble(part -> part.count() * Math.log(part.pair().massAtHighestLoss()))
            .sum();
    // Nearer to the mass, the following logarithm loses all digits.
    double lower =
        logDelta < logMass - 0.01
            ? highest * (1 - 1e-12) + 1.0001 * Math.log1p(-Math.exp(logDelta - logMass))
            : 0;
    return EpsilonInterval.of(lower, lower, highest * (1 + 1e-12));
  }

  /** Bounds epsilon from below by one step alone: to forget the others is post-processing. */
  double lowerOfOneStep(double logDelta) {
    return parts.stream()
        .mapToDouble(part -> part.pair().hockeyStick().epsilon(logDelta).lower())
        .max()
        .orElse(0);
  }

  /**
   * Returns these steps with every P restricted so that all together lose at most the given mass.
   */
  LossComposition restricted(double lostMass) {
    double each = lostMass / steps();
    return map(pair -> pair.restricted(each));
  }

  /** {@return the other direction} */
  public LossComposition reversed() {
    return map(DominatingPair::reversed);
  }

  /** {@return whether both directions are the same} */
  public boolean isSymmetric() {
    return parts.stream().allMatch(part -> part.pair().reversed().equals(part.pair()));
  }

  private LossComposition map(UnaryOperator<DominatingPair> change) {
    return new LossComposition(
        parts.stream().map(part -> new Part(change.apply(part.pair()), part.count())).toList());
  }
}
