/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.solve;

import ai.fastdp.accounting.internal.loss.DeltaBracket;
import ai.fastdp.accounting.internal.loss.EpsilonInterval;
import ai.fastdp.accounting.internal.numeric.NumericalLimitException;
import java.util.Optional;

/**
 * The contour integral of the characteristic function, whose cost does not depend on the number of
 * steps.
 *
 * <p>This class chooses the line of a {@link ContourIntegral} and turns its values into bounds.
 */
public final class ContourMethod implements CompositionMethod {

  /** Relative error of delta that each error term may have, if that is cheap. */
  private static final double TOLERANCE = 1e-12;

  /** Relative error of delta that each error term may have otherwise. */
  private static final double COARSE_TOLERANCE = 1e-9;

  /** Lines with a smaller relative error of delta are not replaced by others. */
  private static final double PRECISE = 1e-10;

  private static final double CHEAP = 5e6;

  /** Relative width of epsilon above which a second line is tried. */
  private static final double REFINE = 1e-8;

  /** Fraction of delta that is spent on restricting P. */
  private static final double LOST = 1e-11;

  /** For smaller log delta, P is not restricted: the fraction of delta to lose underflows. */
  private static final double MIN_LOG_DELTA_TO_RESTRICT = -650;

  /** Narrower bounds, relative to epsilon, are worth little more effort. */
  private static final double GOOD = 3e-7;

  /** The search does not start from the estimate of bounds that are wider, relative to epsilon. */
  private static final double GOOD_START = 0.1;

  private static final int ROUNDS = 4;

  @Override
  public String name() {
    return "contour";
  }

  /** {@return what an integral may cost, in nanoseconds} */
  private static double costLimit(Effort effort) {
    return switch (effort) {
      case QUICK -> 2e7;
      case FULL -> 2e8;
      case LAST_RESORT -> 1e9;
    };
  }

  /**
   * {@inheritDoc}
   *
   * <p>Where the line through the saddle point loses digits, P is restricted and another line is
   * tried.
   */
  @Override
  public Optional<EpsilonInterval> epsilon(
      LossComposition losses, double logDelta, Effort effort, double knownWidth) {
    double costLimit = costLimit(effort);
    double ceiling = Chernoff.epsilon(losses, logDelta);
    if (ceiling <= 0) {
      return Optional.of(EpsilonInterval.ZERO);
    }
    double start = start(losses, ceiling, logDelta);
    Optional<EpsilonInterval> whole = search(losses, ceiling, start, logDelta, logDelta, costLimit);
    if (whole.isPresent() && whole.get().width() <= REFINE * whole.get().estimate()) {
      return whole;
    }
    if (logDelta < MIN_LOG_DELTA_TO_RESTRICT) {
      return whole;
    }
    double limit = whole.map(found -> Math.min(costLimit, refinementCost(found))).orElse(costLimit);
    LossComposition restricted = losses.restricted(Math.exp(logDelta) * LOST);
    double logRest = logDelta + Math.log1p(-LOST);
    // Without the far tail Chernoff's bound may be much lower, and bounds found below it
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

  @Override
  public Optional<DeltaBracket> delta(LossComposition losses, double epsilon, Effort effort) {
    return line(losses, epsilon, effort).map(line -> line.delta(epsilon));
  }

  /** Returns the line that gives narrow bounds of delta near an epsilon. */
  static Optional<ContourLine> line(LossComposition losses, double epsilon, Effort effort) {
    double costLimit = costLimit(effort);
    SaddlePoint saddle = SaddlePoint.forEpsilon(losses, epsilon);
    double guess = Math.min(0, Math.max(saddle.logDelta(), -700));
    Optional<ContourLine> whole = line(losses, saddle, epsilon, guess, 0, costLimit);
    Optional<DeltaBracket> known = whole.map(line -> line.delta(epsilon));
    if (known.isPresent() && known.get().isNarrow()) {
      return whole;
    }
    double logDelta =
        known.map(DeltaBracket::estimate).filter(delta -> delta > 0).map(Math::log).orElse(guess);
    double lost = Math.exp(logDelta) * LOST;
    LossComposition restricted = losses.restricted(lost);
    Optional<ContourLine> rest =
        line(
            restricted,
            SaddlePoint.forEpsilon(restricted, epsilon),
            epsilon,
            logDelta,
            lost,
            whole.isPresent() ? Math.min(costLimit, 5e7) : costLimit);
    return known.isPresent()
            && (rest.isEmpty() || known.get().width() <= rest.get().delta(epsilon).width())
        ? whole
        : rest;
  }

  private static Optional<ContourLine> line(
      LossComposition losses,
      SaddlePoint saddle,
      double epsilon,
      double logDelta,
      double lost,
      double costLimit) {
    ContourPlan plan = plan(losses, new SaddlePoint(saddle.c(), epsilon, logDelta));
    return plan.cost() <= costLimit
        ? Optional.of(new ContourLine(plan.run(), losses, lost))
        : Optional.empty();
  }

  /**
   * Searches for where delta(epsilon) = e^{logDelta}.
   *
   * @param logRest log of the delta that the upper bound must fall to
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
        SaddlePoint saddle = SaddlePoint.forEpsilon(losses, epsilon);
        ContourPlan plan = plan(losses, new SaddlePoint(saddle.c(), epsilon, logDelta));
        if (!(plan.cost() <= limit)) {
          break;
        }
        found = bounds(plan.run(), losses, epsilon, ceiling, logDelta, logRest);
      } catch (NumericalLimitException e) {
        break; // bounds found before are valid
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

  /** Returns the cost that narrower bounds may have. */
  private static double refinementCost(EpsilonInterval found) {
    return found.width() <= GOOD * found.estimate() ? 3e6 : 5e7;
  }

  /** Returns Chernoff's epsilon, corrected by the saddle-point approximation at that point. */
  static double start(LossComposition losses, double ceiling, double logDelta) {
    SaddlePoint saddle = SaddlePoint.forEpsilon(losses, ceiling);
    double corrected = ceiling - Math.max(0, logDelta - saddle.logDelta()) / saddle.c();
    return Math.max(corrected, 0);
  }

  private static ContourPlan plan(LossComposition losses, SaddlePoint saddle) {
    ContourPlan plan = plan(losses, saddle, TOLERANCE);
    if (plan.cost() > CHEAP) {
      ContourPlan coarse = plan(losses, saddle, COARSE_TOLERANCE);
      return coarse.cost() < plan.cost() ? coarse : plan;
    }
    return plan;
  }

  /**
   * Plans the line through the saddle point, or one to its left where that is cheaper: near the
   * abscissa where the far Gaussian tail takes over, the period that keeps aliasing small is very
   * long.
   */
  private static ContourPlan plan(LossComposition losses, SaddlePoint saddle, double tolerance) {
    ContourPlan best = at(losses, saddle, 1, tolerance);
    for (double factor = 0.87; factor > 0.3; factor *= 0.87) {
      if (best.cost() < CHEAP / 20 && best.precision() < PRECISE) {
        break;
      }
      ContourPlan plan = at(losses, saddle, factor, tolerance);
      if (score(plan) < score(best)) {
        best = plan;
      } else if (factor < 0.7) {
        break;
      }
    }
    return best;
  }

  private static ContourPlan at(
      LossComposition losses, SaddlePoint saddle, double factor, double tolerance) {
    return new ContourPlan(
        losses, saddle.c() * factor, saddle.epsilon(), saddle.logDelta(), tolerance);
  }

  /**
   * Rates a plan; less is better. An order of magnitude of precision is worth half of one in cost.
   */
  private static double score(ContourPlan plan) {
    return Math.max(plan.cost(), CHEAP / 20) * Math.sqrt(Math.max(plan.precision(), PRECISE / 10));
  }
}
