/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.solve;

import ai.fastdp.accounting.internal.loss.DeltaBracket;
import ai.fastdp.accounting.internal.loss.EpsilonInterval;
import ai.fastdp.accounting.internal.numeric.NumericalLimitException;
import java.util.Optional;

/** Chooses the line of a {@link ContourIntegral} and turns its values into bounds. */
public final class ContourMethod {

  /** Relative error of delta that each error term may have, where it is cheap. */
  private static final double TOLERANCE = 1e-12;

  /** The same where it is not. */
  private static final double COARSE_TOLERANCE = 1e-9;

  /** Relative error of delta that is never worth another line. */
  private static final double PRECISE = 1e-10;

  private static final double CHEAP = 5e6;

  /** Relative width of epsilon above which a second line is tried. */
  private static final double REFINE = 1e-8;

  /** Share of delta that is spent on restricting P. */
  private static final double LOST = 1e-11;

  /** Below this log delta, no share of delta that could be lost is a number. */
  private static final double LEAST_TO_RESTRICT = -650;

  /** Relative width of epsilon that is worth little more effort. */
  private static final double GOOD = 3e-7;

  /** Relative width of epsilon beyond which an estimate is no place to start from. */
  private static final double GOOD_START = 0.1;

  private static final int ROUNDS = 4;

  private ContourMethod() {}

  /**
   * Bounds of epsilon, or nothing if another method should answer.
   *
   * <p>Where the line through the saddle point loses digits, P is restricted and another line is
   * tried.
   */
  public static Optional<EpsilonInterval> epsilon(
      LossComposition losses, double logDelta, double costLimit) {
    double ceiling = Chernoff.epsilon(losses, logDelta);
    if (ceiling <= 0) {
      return Optional.of(EpsilonInterval.ZERO);
    }
    double start = start(losses, ceiling, logDelta);
    Optional<EpsilonInterval> whole = search(losses, ceiling, start, logDelta, logDelta, costLimit);
    if (whole.isPresent() && whole.get().width() <= REFINE * whole.get().estimate()) {
      return whole;
    }
    if (logDelta < LEAST_TO_RESTRICT) {
      return whole;
    }
    double limit = whole.map(found -> Math.min(costLimit, refinementCost(found))).orElse(costLimit);
    LossComposition restricted = losses.restricted(Math.exp(logDelta) * LOST);
    double logRest = logDelta + Math.log1p(-LOST);
    // Without the far tail Chernoff's bound may be much lower, and what was found up to it
    // worthless.
    double lowered = Math.min(ceiling, Chernoff.epsilon(restricted, logRest));
    if (lowered <= 0) {
      return Optional.of(EpsilonInterval.ZERO);
    }
    Optional<EpsilonInterval> rest =
        search(
            restricted,
            lowered,
            whole
                .filter(found -> found.width() < GOOD_START * found.estimate())
                .map(EpsilonInterval::estimate)
                .orElseGet(() -> start(restricted, lowered, logDelta)),
            logDelta,
            logRest,
            limit);
    if (whole.isPresent() && rest.isPresent()) {
      return whole.get().width() <= rest.get().width() ? whole : rest;
    }
    return whole.isPresent() ? whole : rest;
  }

  /** Bounds of delta at one epsilon, or nothing if another method should answer. */
  static Optional<DeltaBracket> delta(LossComposition losses, double epsilon, double costLimit) {
    return line(losses, epsilon, costLimit).map(line -> line.delta(epsilon));
  }

  /**
   * An integral that was computed for one epsilon; its bounds hold at every other one, too.
   *
   * @param losses what it composes, restricted or not
   * @param lost by how much restricting P may have lowered delta
   */
  record Line(ContourIntegral integral, LossComposition losses, double lost) {

    DeltaBracket delta(double epsilon) {
      DeltaBracket found = integral.delta(losses, epsilon);
      return new DeltaBracket(found.lower(), found.estimate(), found.upper() + lost);
    }
  }

  /** The line that gives narrow bounds of delta near an epsilon. */
  static Optional<Line> line(LossComposition losses, double epsilon, double costLimit) {
    Saddle saddle = Saddle.forEpsilon(losses, epsilon);
    double guess = Math.min(0, Math.max(saddle.logDelta(), -700));
    Optional<Line> whole = line(losses, saddle, epsilon, guess, 0, costLimit);
    Optional<DeltaBracket> known = whole.map(line -> line.delta(epsilon));
    if (known.isPresent() && isNarrow(known.get())) {
      return whole;
    }
    double logDelta =
        known.map(DeltaBracket::estimate).filter(delta -> delta > 0).map(Math::log).orElse(guess);
    double lost = Math.exp(logDelta) * LOST;
    LossComposition restricted = losses.restricted(lost);
    Optional<Line> rest =
        line(
            restricted,
            Saddle.forEpsilon(restricted, epsilon),
            epsilon,
            logDelta,
            lost,
            whole.isPresent() ? Math.min(costLimit, 5e7) : costLimit);
    return known.isPresent()
            && (rest.isEmpty() || width(known.get()) <= width(rest.get().delta(epsilon)))
        ? whole
        : rest;
  }

  private static Optional<Line> line(
      LossComposition losses,
      Saddle saddle,
      double epsilon,
      double logDelta,
      double lost,
      double costLimit) {
    ContourIntegral.Plan plan = plan(losses, new Saddle(saddle.c(), epsilon, logDelta));
    return plan.cost() <= costLimit
        ? Optional.of(new Line(plan.run(), losses, lost))
        : Optional.empty();
  }

  private static boolean isNarrow(DeltaBracket bracket) {
    return width(bracket) <= REFINE * bracket.estimate();
  }

  private static double width(DeltaBracket bracket) {
    return bracket.upper() - bracket.lower();
  }

  /**
   * Searches for where delta(epsilon) = e^{logDelta}.
   *
   * @param logRest what the upper bound must fall to
   */
  private static Optional<EpsilonInterval> search(
      LossComposition losses,
      double ceiling,
      double start,
      double logDelta,
      double logRest,
      double costLimit) {
    double epsilon = start;
    EpsilonInterval best = new EpsilonInterval(0, ceiling, ceiling);
    boolean solved = false;
    for (int round = 0; round < ROUNDS; round++) {
      double limit = solved ? Math.min(costLimit, refinementCost(best)) : costLimit;
      EpsilonInterval found;
      try {
        Saddle saddle = Saddle.forEpsilon(losses, epsilon);
        ContourIntegral.Plan plan = plan(losses, new Saddle(saddle.c(), epsilon, logDelta));
        if (!(plan.cost() <= limit)) {
          break;
        }
        found = bounds(plan.run(), losses, epsilon, ceiling, logDelta, logRest);
      } catch (NumericalLimitException e) {
        break; // what was found so far is valid
      }
      solved = true;
      if (found.width() < best.width()) {
        best = found;
      }
      if (found.width() <= REFINE * found.estimate()
          || Math.abs(found.estimate() - epsilon) <= 1e-3 * epsilon) {
        break;
      }
      // The starting point was poor; now epsilon is known well enough to do better.
      epsilon = found.estimate();
    }
    return solved ? Optional.of(best) : Optional.empty();
  }

  private static EpsilonInterval bounds(
      ContourIntegral integral,
      LossComposition losses,
      double epsilon,
      double ceiling,
      double logDelta,
      double logRest) {
    double estimate = integral.solve(losses, epsilon, ceiling, logDelta, 0);
    double upper = integral.solve(losses, estimate, ceiling, logRest, 1);
    double lower = integral.solve(losses, estimate, ceiling, logDelta, -1);
    return EpsilonInterval.of(lower, estimate, Math.min(upper, ceiling));
  }

  /** What a narrower interval may cost. */
  private static double refinementCost(EpsilonInterval found) {
    return found.width() <= GOOD * found.estimate() ? 3e6 : 5e7;
  }

  /** Chernoff's epsilon, corrected by the saddle-point approximation at that point. */
  static double start(LossComposition losses, double ceiling, double logDelta) {
    Saddle saddle = Saddle.forEpsilon(losses, ceiling);
    double corrected = ceiling - Math.max(0, logDelta - saddle.logDelta()) / saddle.c();
    return Math.max(corrected, 0);
  }

  private static ContourIntegral.Plan plan(LossComposition losses, Saddle saddle) {
    ContourIntegral.Plan plan = plan(losses, saddle, TOLERANCE);
    if (plan.cost() > CHEAP) {
      ContourIntegral.Plan coarse = plan(losses, saddle, COARSE_TOLERANCE);
      return coarse.cost() < plan.cost() ? coarse : plan;
    }
    return plan;
  }

  /**
   * The line through the saddle, or one to its left where that is cheaper: near the abscissa where
   * the far Gaussian tail takes over, the period that keeps aliasing small is very long.
   */
  private static ContourIntegral.Plan plan(
      LossComposition losses, Saddle saddle, double tolerance) {
    ContourIntegral.Plan best = at(losses, saddle, 1, tolerance);
    for (double factor = 0.87; factor > 0.3; factor *= 0.87) {
      if (best.cost() < CHEAP / 20 && best.precision() < PRECISE) {
        break;
      }
      ContourIntegral.Plan plan = at(losses, saddle, factor, tolerance);
      if (score(plan) < score(best)) {
        best = plan;
      } else if (factor < 0.7) {
        break;
      }
    }
    return best;
  }

  private static ContourIntegral.Plan at(
      LossComposition losses, Saddle saddle, double factor, double tolerance) {
    return new ContourIntegral.Plan(
        losses, saddle.c() * factor, saddle.epsilon(), saddle.logDelta(), tolerance);
  }

  /** Less is better: an order of magnitude of precision is worth half of one in cost. */
  private static double score(ContourIntegral.Plan plan) {
    return Math.max(plan.cost(), CHEAP / 20) * Math.sqrt(Math.max(plan.precision(), PRECISE / 10));
  }
}
