/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.solve;

import ai.fastdp.accounting.internal.loss.DeltaBracket;
import ai.fastdp.accounting.internal.loss.EpsilonInterval;
import ai.fastdp.accounting.internal.loss.GaussianHockeyStick;
import ai.fastdp.accounting.internal.loss.GaussianLoss;
import ai.fastdp.accounting.internal.loss.HockeyStick;
import ai.fastdp.accounting.internal.numeric.NumericalLimitException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BiFunction;
import java.util.function.DoubleFunction;
import org.jspecify.annotations.Nullable;

/** Picks the method that answers a question about a composition in one direction. */
public final class LossSolver {

  /**
   * The contour integral is not worth more than this, in nanoseconds, if there is another method.
   */
  private static final double CONTOUR_COST = 2e8;

  private static final double QUICK_COST = 2e7;

  private static final double LAST_RESORT_COST = 1e9;

  private static final long MOST_STEPS_FOR_FFT = 2_000_000;

  private static final double WIDE = 8e-7;

  /** Relative width of delta up to which the integral for another epsilon is used. */
  private static final double REUSABLE = 1e-10;

  /** Width of delta that is hardly seen in a trade-off function. */
  private static final double CURVE_WIDTH = 1e-7;

  /** Relative width of delta that is not worth another bound. */
  private static final double NARROW_DELTA = 1e-8;

  /** Below this epsilon, absolute accuracy counts. */
  private static final double SMALL = 1e-3;

  /**
   * Bounds and where they come from.
   *
   * @param <T> bounds of epsilon or of delta
   */
  public record Solved<T>(T bounds, Method method) {}

  private static final DeltaBracket NONE = new DeltaBracket(0, 0, 0);

  private LossSolver() {}

  /** An upper bound of epsilon that costs little where a narrow interval would cost much. */
  public static double quickUpper(LossComposition losses, double delta) {
    double logDelta = Math.log(delta);
    Optional<HockeyStick> closed = closedForm(losses);
    if (closed.isPresent()) {
      return closed.get().epsilon(logDelta).upper();
    }
    Optional<Solved<EpsilonInterval>> found = contour(losses, logDelta, QUICK_COST);
    if (found.isEmpty() && losses.steps() <= MOST_STEPS_FOR_FFT) {
      try {
        return TiltedFft.quickEpsilon(losses, logDelta).upper();
      } catch (NumericalLimitException e) {
        // The next method answers.
      }
    }
    return found
        .map(solved -> solved.bounds().upper())
        .orElseGet(() -> epsilon(losses, delta).bounds().upper());
  }

  public static Solved<EpsilonInterval> epsilon(LossComposition losses, double delta) {
    double logDelta = Math.log(delta);
    Optional<HockeyStick> closed = closedForm(losses);
    if (closed.isPresent()) {
      return new Solved<>(closed.get().epsilon(logDelta), Method.CLOSED_FORM);
    }
    Solved<EpsilonInterval> simple =
        new Solved<>(losses.fromHighestLoss(logDelta), Method.CLOSED_FORM);
    if (isNarrow(simple)) {
      return simple;
    }
    Solved<EpsilonInterval> found = searched(losses, logDelta);
    if (isNarrow(found)) {
      return found;
    }
    double known = Math.max(simple.bounds().lower(), losses.lowerOfOneStep(logDelta));
    EpsilonInterval bounds = found.bounds();
    return new Solved<>(
        EpsilonInterval.of(
            Math.max(known, bounds.lower()),
            bounds.estimate(),
            Math.min(simple.bounds().upper(), bounds.upper())),
        found.method());
  }

  private static Solved<EpsilonInterval> searched(LossComposition losses, double logDelta) {
    boolean few = losses.steps() <= MOST_STEPS_FOR_FFT;
    Optional<Solved<EpsilonInterval>> best =
        contour(losses, logDelta, few ? CONTOUR_COST : LAST_RESORT_COST);
    if (best.isPresent() && (isNarrow(best.get()) || !few)) {
      return best.get();
    }
    double knownWidth = best.map(found -> found.bounds().width()).orElse(Double.POSITIVE_INFINITY);
    try {
      best =
          narrower(
              best,
              new Solved<>(TiltedFft.epsilon(losses, logDelta, knownWidth), Method.TILTED_FFT));
    } catch (NumericalLimitException e) {
      // The next method answers.
    }
    if (best.isEmpty() && few) {
      best = contour(losses, logDelta, LAST_RESORT_COST);
    }
    return best.orElseGet(
        () -> {
          double upper = Math.max(0, Chernoff.epsilon(losses, logDelta));
          return new Solved<>(new EpsilonInterval(0, upper, upper), Method.CHERNOFF);
        });
  }

  /** Whether epsilon may be above a number; true if that is quicker to solve than to bound. */
  public static boolean mayExceed(LossComposition losses, double delta, double epsilon) {
    if (losses.isAtMost(epsilon)) {
      return false;
    }
    double logDelta = Math.log(delta);
    return closedForm(losses).isPresent() || Chernoff.epsilon(losses, logDelta) > epsilon;
  }

  /** The same for delta at one epsilon. */
  public static boolean mayExceedDelta(LossComposition losses, double epsilon, double delta) {
    return !losses.isAtMost(epsilon)
        && (closedForm(losses).isPresent() || Math.exp(Chernoff.logDelta(losses, epsilon)) > delta);
  }

  public static Solved<DeltaBracket> delta(LossComposition losses, double epsilon) {
    return delta(losses, epsilon, CONTOUR_COST, TiltedFft::delta);
  }

  /**
   * Bounds of delta as a function of epsilon, for many of them: contour integrals are kept and
   * answer for their neighbourhood.
   */
  public static DoubleFunction<DeltaBracket> deltas(LossComposition losses) {
    if (closedForm(losses).isPresent()) {
      return epsilon -> delta(losses, epsilon).bounds();
    }
    DoubleFunction<DeltaBracket> others = quickDeltas(losses);
    NavigableMap<Double, ContourMethod.Line> lines = new ConcurrentSkipListMap<>();
    return epsilon -> {
      if (losses.isAtMost(epsilon)) {
        return NONE;
      }
      for (Map.Entry<Double, ContourMethod.Line> near :
          Arrays.asList(lines.floorEntry(epsilon), lines.ceilingEntry(epsilon))) {
        if (near != null) {
          DeltaBracket known = near.getValue().delta(epsilon);
          if (known.upper() - known.lower() <= REUSABLE * known.estimate()) {
            return known;
          }
        }
      }
      try {
        Optional<ContourMethod.Line> line = ContourMethod.line(losses, epsilon, QUICK_COST);
        if (line.isPresent()) {
          lines.put(epsilon, line.get());
          DeltaBracket found = line.get().delta(epsilon);
          if (isNarrow(found)) {
            return found;
          }
        }
      } catch (NumericalLimitException e) {
        // The next method answers.
      }
      return others.apply(epsilon);
    };
  }

  /** The same where that would cost much: a transform answers for its neighbourhood. */
  public static DoubleFunction<DeltaBracket> quickDeltas(LossComposition losses) {
    AtomicReference<@Nullable TiltedFft> last = new AtomicReference<>();
    return epsilon -> {
      if (losses.isAtMost(epsilon)) {
        return NONE;
      }
      TiltedFft near = last.get();
      try {
        if (near != null && isGoodForCurves(near.bracket(epsilon))) {
          return near.bracket(epsilon);
        }
        if (losses.steps() <= MOST_STEPS_FOR_FFT && closedForm(losses).isEmpty()) {
          TiltedFft next = TiltedFft.quick(losses, epsilon);
          last.set(next);
          if (isGoodForCurves(next.bracket(epsilon))) {
            return next.bracket(epsilon);
          }
        }
      } catch (NumericalLimitException e) {
        // The next method answers.
      }
      return quickDelta(losses, epsilon).bounds();
    };
  }

  /** Type II errors are as accurate as delta, absolutely. */
  private static boolean isGoodForCurves(DeltaBracket bounds) {
    return bounds.upper() - bounds.lower() <= CURVE_WIDTH;
  }

  /** The same at a tenth of the cost where it is high; the bounds are wider. */
  public static Solved<DeltaBracket> quickDelta(LossComposition losses, double epsilon) {
    return delta(losses, epsilon, QUICK_COST, TiltedFft::quickDelta);
  }

  /** Chernoff's bound caps every other one. */
  private static Solved<DeltaBracket> delta(
      LossComposition losses,
      double epsilon,
      double contourCost,
      BiFunction<LossComposition, Double, DeltaBracket> fft) {
    Solved<DeltaBracket> found = uncapped(losses, epsilon, contourCost, fft);
    if (isNarrow(found.bounds())) {
      return found;
    }
    double cap = Math.exp(Chernoff.logDelta(losses, epsilon));
    DeltaBracket bounds = found.bounds();
    return cap >= bounds.upper()
        ? found
        : new Solved<>(
            new DeltaBracket(Math.min(bounds.lower(), cap), Math.min(bounds.estimate(), cap), cap),
            found.method());
  }

  private static Solved<DeltaBracket> uncapped(
      LossComposition losses,
      double epsilon,
      double contourCost,
      BiFunction<LossComposition, Double, DeltaBracket> fft) {
    if (losses.isAtMost(epsilon)) {
      return new Solved<>(NONE, Method.CLOSED_FORM);
    }
    Optional<HockeyStick> closed = closedForm(losses);
    if (closed.isPresent()) {
      return new Solved<>(closed.get().bracket(epsilon), Method.CLOSED_FORM);
    }
    try {
      Optional<DeltaBracket> found = ContourMethod.delta(losses, epsilon, contourCost);
      if (found.isPresent()) {
        return new Solved<>(found.get(), Method.CONTOUR);
      }
    } catch (NumericalLimitException e) {
      // The next method answers.
    }
    if (losses.steps() <= MOST_STEPS_FOR_FFT) {
      try {
        return new Solved<>(fft.apply(losses, epsilon), Method.TILTED_FFT);
      } catch (NumericalLimitException e) {
        // The next method answers.
      }
    }
    double upper = Math.exp(Chernoff.logDelta(losses, epsilon));
    return new Solved<>(new DeltaBracket(0, upper, upper), Method.CHERNOFF);
  }

  private static Optional<Solved<EpsilonInterval>> contour(
      LossComposition losses, double logDelta, double costLimit) {
    try {
      return ContourMethod.epsilon(losses, logDelta, costLimit)
          .map(found -> new Solved<>(found, Method.CONTOUR));
    } catch (NumericalLimitException e) {
      return Optional.empty();
    }
  }

  /** mu if all steps are unsampled Gaussian ones: their squares add up. */
  public static Optional<Double> gaussianParameter(LossComposition losses) {
    List<LossComposition.Part> parts = losses.parts();
    if (!parts.stream().allMatch(part -> part.pair().gaussianMu().isPresent())) {
      return Optional.empty();
    }
    return Optional.of(
        GaussianLoss.composed(
            parts.stream().mapToDouble(LossComposition.Part::count).toArray(),
            parts.stream()
                .mapToDouble(part -> part.pair().gaussianMu().orElseThrow())
                .toArray()));
  }

  private static Optional<HockeyStick> closedForm(LossComposition losses) {
    Optional<Double> mu = gaussianParameter(losses);
    if (mu.isPresent()) {
      return Optional.of(new GaussianHockeyStick(mu.get()));
    }
    if (losses.steps() == 1) {
      return Optional.of(losses.parts().get(0).pair().hockeyStick());
    }
    return Optional.empty();
  }

  /** Then Chernoff's bound is not below, or hardly. */
  private static boolean isNarrow(DeltaBracket bounds) {
    return bounds.upper() - bounds.lower() <= NARROW_DELTA * bounds.estimate();
  }

  private static boolean isNarrow(Solved<EpsilonInterval> solved) {
    return solved.bounds().width() <= WIDE * Math.max(solved.bounds().estimate(), SMALL);
  }

  private static Optional<Solved<EpsilonInterval>> narrower(
      Optional<Solved<EpsilonInterval>> one, Solved<EpsilonInterval> other) {
    return one.isPresent() && one.get().bounds().width() <= other.bounds().width()
        ? one
        : Optional.of(other);
  }
}
