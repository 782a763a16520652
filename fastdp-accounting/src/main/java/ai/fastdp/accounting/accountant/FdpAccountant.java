/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.accountant;

import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.internal.loss.DeltaInterval;
import ai.fastdp.accounting.internal.loss.EpsilonInterval;
import ai.fastdp.accounting.internal.mechanism.Mechanism;
import ai.fastdp.accounting.internal.mechanism.MechanismCounts;
import ai.fastdp.accounting.internal.numeric.Require;
import ai.fastdp.accounting.internal.solve.Effort;
import ai.fastdp.accounting.internal.solve.LossComposition;
import ai.fastdp.accounting.internal.solve.LossSolver;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;

/**
 * f-differential privacy: the exact composition of privacy-loss distributions, with lower and upper
 * bounds.
 *
 * <p>Every question is answered by the method that is best for it: in closed form for one step or
 * for unsampled Gaussian steps, by a contour integral of the characteristic function whose cost
 * does not depend on the number of steps, or, for few steps with a spiky loss, by a tilted and
 * FFT-composed discretization. The bounds include aliasing, truncation, quadrature and rounding
 * errors; docs/accounting.md has the proofs. Both directions (a record removed, a record added) are
 * evaluated and the larger counts, because domination of single steps in one direction does not
 * imply domination of compositions (Lebeda, Regehr, Kamath, Steinke 2024, arXiv 2405.20769).
 *
 * <p>Supported: Gaussian events, alone and on Poisson samples, and Laplace events, under every
 * relation; Gaussian events on batches of fixed size under {@link NeighboringRelation#REPLACE_ONE}.
 * Noise multipliers are always relative to the largest contribution of one record. The pairs of
 * distributions are in docs/proofs/dominating-pairs.md; where they dominate without being attained
 * (batches of fixed size), the lower bound is one of the pair's epsilon, not of the mechanism's.
 */
public final class FdpAccountant extends EventAccountant {

  private static final String NOTHING_TO_COMPOSE = "closed_form";

  /**
   * Bounds of epsilon with their provenance.
   *
   * @param epsilon the bounds
   * @param method the name of the method that found the bounds in the direction that counts
   */
  public record Answer(EpsilonBound epsilon, String method) {}

  /** An accountant for {@link NeighboringRelation#ADD_OR_REMOVE_ONE}. */
  public FdpAccountant() {
    this(NeighboringRelation.ADD_OR_REMOVE_ONE);
  }

  /**
   * An accountant that has seen nothing.
   *
   * @param relation the relation that the results shall refer to
   */
  public FdpAccountant(NeighboringRelation relation) {
    this(relation, new MechanismCounts());
  }

  private FdpAccountant(NeighboringRelation relation, MechanismCounts counts) {
    super(relation, counts);
  }

  @Override
  public String name() {
    return "fdp";
  }

  @Override
  boolean hasRule(Mechanism mechanism) {
    return mechanism.pair(relation()).isPresent();
  }

  @Override
  public FdpAccountant copy() {
    return new FdpAccountant(relation(), counts().copy());
  }

  @Override
  public EpsilonBound epsilon(double delta) {
    return answer(delta).epsilon();
  }

  /**
   * Epsilon at one delta, and how it was found.
   *
   * @param delta in (0, 1)
   * @return the larger of the bounds of both directions
   * @throws IllegalArgumentException if {@code delta} is not in (0, 1)
   */
  public Answer answer(double delta) {
    Require.delta(delta);
    if (counts().isEmpty()) {
      return new Answer(EpsilonBound.zero(), NOTHING_TO_COMPOSE);
    }
    LossComposition losses = losses();
    LossSolver.Solved<EpsilonInterval> removed = LossSolver.epsilon(losses, delta, Effort.FULL);
    EpsilonInterval bounds = removed.bounds();
    String method = removed.method();
    LossComposition reversed = losses.reversed();
    if (!losses.isSymmetric() && mayRaise(bounds, reversed, delta)) {
      LossSolver.Solved<EpsilonInterval> added = LossSolver.epsilon(reversed, delta, Effort.FULL);
      if (added.bounds().upper() > bounds.upper()) {
        method = added.method();
      }
      bounds = bounds.max(added.bounds());
    }
    return new Answer(
        EpsilonBound.interval(bounds.lower(), bounds.estimate(), bounds.upper()), method);
  }

  /** Returns whether the other direction may raise more than the lower bound, by quick bounds. */
  private static boolean mayRaise(EpsilonInterval bounds, LossComposition other, double delta) {
    return !other.isAtMost(bounds.estimate())
        && LossSolver.mayExceed(other, delta, bounds.lower())
        && quickUpper(other, delta) > bounds.lower();
  }

  private static double quickUpper(LossComposition losses, double delta) {
    return LossSolver.epsilon(losses, delta, Effort.QUICK).bounds().upper();
  }

  @Override
  public OptionalDouble quickUpper(double delta) {
    Require.delta(delta);
    if (counts().isEmpty()) {
      return OptionalDouble.of(0);
    }
    LossComposition losses = losses();
    double upper = quickUpper(losses, delta);
    if (!losses.isSymmetric() && LossSolver.mayExceed(losses.reversed(), delta, upper)) {
      upper = Math.max(upper, quickUpper(losses.reversed(), delta));
    }
    return OptionalDouble.of(upper);
  }

  /**
   * {@inheritDoc}
   *
   * @return the larger of the bounds of both directions
   */
  @Override
  public DeltaBound delta(double epsilon) {
    Require.finiteNonNegative("epsilon", epsilon);
    DeltaInterval delta = counts().isEmpty() ? DeltaInterval.ZERO : larger(losses(), epsilon);
    return DeltaBound.interval(delta.lower(), delta.estimate(), delta.upper());
  }

  private static DeltaInterval larger(LossComposition losses, double epsilon) {
    DeltaInterval remove = LossSolver.delta(losses, epsilon, Effort.FULL).bounds().toInterval();
    if (losses.isSymmetric()) {
      return remove;
    }
    LossComposition added = losses.reversed();
    return LossSolver.mayExceedDelta(added, epsilon, remove.lower())
        ? remove.max(LossSolver.delta(added, epsilon, Effort.FULL).bounds().toInterval())
        : remove;
  }

  /**
   * Returns the trade-off function of all compositions up to now; later ones do not change it.
   *
   * @return f, symmetric in both directions
   */
  public TradeOffCurve tradeOff() {
    return TradeOffFunction.of(losses()).symmetrize();
  }

  private LossComposition losses() {
    List<LossComposition.Part> parts = new ArrayList<>();
    counts()
        .asMap()
        .forEach(
            (mechanism, count) ->
                parts.add(
                    new LossComposition.Part(mechanism.pair(relation()).orElseThrow(), count)));
    return new LossComposition(parts);
  }
}
