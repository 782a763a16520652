/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.solve;

import ai.fastdp.accounting.internal.loss.DeltaBracket;
import ai.fastdp.accounting.internal.loss.EpsilonInterval;
import ai.fastdp.accounting.internal.numeric.NumericalLimitException;
import java.util.List;
import java.util.Optional;

/**
 * Answers questions about a composition in one direction by the best of all methods.
 *
 * <p>Methods are asked in order. The first narrow bounds of epsilon are the answer, else the
 * narrowest; if no method has any, all are asked again with more effort. Chernoff's bound caps
 * everything, and answers alone where nothing else does.
 */
public final class LossSolver {

  private static final List<CompositionMethod> METHODS =
      List.of(new ClosedForm(), new HighestLoss(), new ContourMethod(), new TransformMethod());

  private static final String CHERNOFF = "chernoff";

  /**
   * Bounds and the name of the method that found them.
   *
   * @param <T> bounds of epsilon or of delta
   */
  public record Solved<T>(T bounds, String method) {}

  private LossSolver() {}

  /** Bounds the epsilon that belongs to a delta. */
  public static Solved<EpsilonInterval> epsilon(
      LossComposition losses, double delta, Effort effort) {
    double logDelta = Math.log(delta);
    for (Effort allowed : effort.andMore()) {
      Optional<Solved<EpsilonInterval>> found = epsilonBy(losses, logDelta, allowed);
      if (found.isPresent()) {
        return tightened(found.get(), losses, logDelta);
      }
    }
    double upper = Math.max(0, Chernoff.epsilon(losses, logDelta));
    return tightened(
        new Solved<>(new EpsilonInterval(0, upper, upper), CHERNOFF), losses, logDelta);
  }

  private static Optional<Solved<EpsilonInterval>> epsilonBy(
      LossComposition losses, double logDelta, Effort effort) {
    Optional<Solved<EpsilonInterval>> best = Optional.empty();
    for (CompositionMethod method : METHODS) {
      double known = best.map(solved -> solved.bounds().width()).orElse(Double.POSITIVE_INFINITY);
      Optional<EpsilonInterval> found =
          NumericalLimitException.emptyIfThrown(
              () -> method.epsilon(losses, logDelta, effort, known));
      if (found.isPresent() && !(found.get().width() >= known)) {
        best = Optional.of(new Solved<>(found.get(), method.name()));
      }
      if (best.isPresent()
          && (effort == Effort.QUICK || method.isExact() || best.get().bounds().isNarrow())) {
        return best;
      }
    }
    return best;
  }

  /** Intersects wide bounds with those from the highest loss and from single steps. */
  private static Solved<EpsilonInterval> tightened(
      Solved<EpsilonInterval> found, LossComposition losses, double logDelta) {
    EpsilonInterval bounds = found.bounds();
    if (bounds.isNarrow()) {
      return found;
    }
    EpsilonInterval simple = losses.fromHighestLoss(logDelta);
    double lower = Math.max(simple.lower(), losses.lowerOfOneStep(logDelta));
    return new Solved<>(
        EpsilonInterval.of(
            Math.max(lower, bounds.lower()),
            bounds.estimate(),
            Math.min(simple.upper(), bounds.upper())),
        found.method());
  }

  /** Bounds delta at one epsilon. */
  public static Solved<DeltaBracket> delta(LossComposition losses, double epsilon, Effort effort) {
    Optional<Solved<DeltaBracket>> found = deltaBy(losses, epsilon, effort);
    if (found.isPresent() && found.get().bounds().isNarrow()) {
      return found.get();
    }
    double cap = Math.exp(Chernoff.logDelta(losses, epsilon));
    return found
        .map(solved -> new Solved<>(solved.bounds().atMost(cap), solved.method()))
        .orElseGet(() -> new Solved<>(new DeltaBracket(0, cap, cap), CHERNOFF));
  }

  private static Optional<Solved<DeltaBracket>> deltaBy(
      LossComposition losses, double epsilon, Effort effort) {
    for (CompositionMethod method : METHODS) {
      Optional<DeltaBracket> found =
          NumericalLimitException.emptyIfThrown(() -> method.delta(losses, epsilon, effort));
      if (found.isPresent()) {
        return Optional.of(new Solved<>(found.get(), method.name()));
      }
    }
    return Optional.empty();
  }

  /** Returns false only if a cheap bound shows that epsilon is at most the given one. */
  public static boolean mayExceed(LossComposition losses, double delta, double epsilon) {
    return !losses.isAtMost(epsilon)
        && (ClosedForm.of(losses).isPresent()
            || Chernoff.epsilon(losses, Math.log(delta)) > epsilon);
  }

  /** Returns false only if a cheap bound shows that delta is at most the given one. */
  public static boolean mayExceedDelta(LossComposition losses, double epsilon, double delta) {
    return !losses.isAtMost(epsilon)
        && (ClosedForm.of(losses).isPresent()
            || Math.exp(Chernoff.logDelta(losses, epsilon)) > delta);
  }
}
