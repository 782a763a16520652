/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.solve;

import ai.fastdp.accounting.internal.loss.DeltaBracket;
import ai.fastdp.accounting.internal.loss.EpsilonInterval;
import ai.fastdp.accounting.internal.numeric.NumericalLimitException;
import java.util.function.DoubleUnaryOperator;

/**
 * delta(epsilon) of few compositions, from a discretized and exponentially tilted distribution of
 * the loss.
 *
 * <p>Tilting by e^{cl} turns the tail that matters into the bulk, so that rounding errors of the
 * transform are relative to delta instead of to 1. The distribution on the grid dominates the true
 * one, so its delta is an upper bound.
 *
 * <p>For the lower bound: moving to the grid adds a {@link GridNoise} N to the loss L of all steps,
 * which raises delta by the Jensen gap of \((1 - e^{\varepsilon - L})_+\). There is a gap only if
 * epsilon lies between L and L + N, so a multiple of the probability that L + N is near epsilon
 * bounds it, which the grid tells.
 */
final class TiltedFft {

  /** Log of the inverse of the fraction of delta that the window may miss. */
  private static final double LOG_TOLERANCE = -Math.log(3e-9);

  private static final int MIN_LENGTH = 1 << 12;

  /** Fraction of delta within which the noise of the grid may exceed what is allowed for. */
  private static final double EXCEEDED = 1e-6;

  private final LossComposition losses;
  private final ComposedGrid grid;
  private final SuffixSums sums;
  private final TiltWindow window;
  private final GridNoise noise;

  /** A bound of the part of delta that lies outside of the window. */
  private final double missing;

  private TiltedFft(
      LossComposition losses,
      ComposedGrid grid,
      SuffixSums sums,
      TiltWindow window,
      double missing) {
    this.losses = losses;
    this.grid = grid;
    this.sums = sums;
    this.window = window;
    this.missing = missing;
    noise = new GridNoise(grid, losses.steps());
  }

  /**
   * Composes the steps on a grid that is good near one epsilon.
   *
   * @param logDelta about log delta(epsilon)
   * @param spacing the wanted distance of grid points; 0 if the length alone limits it
   * @param maxLength largest number of grid points
   * @param cutMass a bound of how much restricting P may have lowered delta
   */
  static TiltedFft near(
      LossComposition losses,
      double epsilon,
      double logDelta,
      double spacing,
      int maxLength,
      double cutMass) {
    double safety = LOG_TOLERANCE - logDelta;
    TiltWindow window = TiltWindow.near(losses, epsilon, safety);
    double points = window.period() / spacing;
    int length = MIN_LENGTH;
    while (length < points && length < maxLength) {
      length *= 2;
    }
    ComposedGrid grid = ComposedGrid.of(losses, window.c(), window.period() / length, length);
    long firstIndex = (long) Math.floor((epsilon - window.below()) / grid.spacing());
    return new TiltedFft(
        losses,
        grid,
        new SuffixSums(grid, firstIndex),
        window,
        2 * window.wrapped() + 4 * Math.exp(-safety) + cutMass);
  }

  /** {@return the number of grid points} */
  int length() {
    return grid.length();
  }

  /** {@return the distance of grid points} */
  double spacing() {
    return grid.spacing();
  }

  /** {@return the factor of the width of bounds if the spacing is multiplied by a factor} */
  double widthFactor(double spacingFactor) {
    return noise.widthFactor(spacingFactor);
  }

  /**
   * Bounds delta at one epsilon of the window.
   *
   * @throws NumericalLimitException if epsilon is not in the window
   */
  DeltaBracket delta(double epsilon) {
    double value = sums.delta(epsilon);
    if (!(Math.abs(value) < Double.POSITIVE_INFINITY)) {
      throw new NumericalLimitException("discretized loss is out of range");
    }
    double rounding = rounding(epsilon);
    return new DeltaBracket(
        value - 1.1 * noise.gap(epsilon) - truncationAndAliasing(epsilon) - rounding,
        value,
        value + missing + rounding);
  }

  /** Bounds the error of delta from truncation and from masses folded back from above. */
  private double truncationAndAliasing(double epsilon) {
    return missing + window.folded(epsilon);
  }

  private double rounding(double epsilon) {
    double distribution =
        (1 + grid.c()) * losses.steps() * 0x1p-51 / (smallestScale() * grid.spacing());
    return grid.noise(epsilon)
        + Math.abs(sums.delta(epsilon)) * (distribution + sums.relativeError());
  }

  /** {@return the smallest scale; cells are spacing times that wide where rounding matters most} */
  private double smallestScale() {
    return losses.parts().stream().mapToDouble(part -> part.pair().scale()).min().orElse(1);
  }

  /** Bounds the epsilon in [0, ceiling] at which delta falls to the given one. */
  EpsilonInterval epsilon(double delta, double ceiling) {
    double estimate = root(ceiling, x -> known(x, delta) - delta).high();
    double upper = root(ceiling, x -> known(x, delta) + missing + rounding(x) - delta).high();
    double lower = Math.max(lower(ceiling, delta, estimate), shiftedLower(ceiling, delta));
    return EpsilonInterval.of(lower, estimate, upper);
  }

  /**
   * Returns a lower bound that needs no fine grid: delta at epsilon less a quantile of the noise is
   * at least delta on the grid at epsilon, less the probability beyond the quantile.
   */
  private double shiftedLower(double ceiling, double delta) {
    double exceeded = delta * EXCEEDED;
    double shift = noise.quantileBound(exceeded);
    DoubleUnaryOperator least =
        x -> known(x, delta) - exceeded - truncationAndAliasing(x) - rounding(x);
    double lower =
        tried(x -> least.applyAsDouble(x) - noise.exceptions(x) - delta, ceiling) - shift;
    if (grid.roundedUp() > 0) {
      // Or every step that may have been rounded up is moved back by a cell.
      double moved = tried(x -> least.applyAsDouble(x) - noise.movedFar(x) - delta, ceiling);
      lower = Math.max(lower, moved - shift - grid.movedSteps() * grid.spacing());
    }
    return lower * (1 - 0x1p-50);
  }

  /** Returns where a falling function is not negative; negative infinity if that is not known. */
  private double tried(DoubleUnaryOperator f, double ceiling) {
    double low = root(ceiling, f).low();
    return f.applyAsDouble(low) >= 0 ? low : Double.NEGATIVE_INFINITY;
  }

  /** Returns a lower bound by Jensen's gap, whose error terms are those at the bound itself. */
  private double lower(double ceiling, double delta, double estimate) {
    double at = estimate;
    for (int round = 0; round < 6; round++) {
      double error = 1.02 * (noise.gap(at) + truncationAndAliasing(at)) + rounding(at);
      double low = root(ceiling, x -> known(x, delta) - error - delta).low();
      if (low > 0 && least(low) >= delta) {
        return low;
      }
      at = low;
    }
    return 0;
  }

  private double least(double epsilon) {
    return sums.delta(epsilon)
        - noise.gap(epsilon)
        - truncationAndAliasing(epsilon)
        - rounding(epsilon);
  }

  /** Returns delta, or NaN where rounding errors of the transform alone may be that large. */
  private double known(double epsilon, double delta) {
    return grid.noise(epsilon) <= delta ? sums.delta(epsilon) : Double.NaN;
  }

  /**
   * The ends of a range in which a falling function reaches zero.
   *
   * @param low it is positive or unknown here, or this is 0
   * @param high it is not positive here, or this is the ceiling
   */
  private record Bracket(double low, double high) {}

  /** Bisects with secant steps; NaN counts as positive. */
  private Bracket root(double ceiling, DoubleUnaryOperator f) {
    double low = Math.max(0, sums.lowest());
    double high = Math.min(ceiling, sums.highest());
    double lowValue = f.applyAsDouble(low);
    if (lowValue <= 0) {
      return new Bracket(0, low);
    }
    double highValue = f.applyAsDouble(high);
    if (!(highValue <= 0)) {
      return new Bracket(high, ceiling);
    }
    for (int i = 0; i < 80 && high - low > 1e-12 * high; i++) {
      double middle = (low + high) / 2;
      double secant = low + (high - low) * lowValue / (lowValue - highValue);
      if (i % 3 != 2 && highValue < 0 && high - low < 0.3 && secant > low) {
        middle = Math.max(low + 1e-3 * (high - low), Math.min(high - 1e-3 * (high - low), secant));
      }
      double value = f.applyAsDouble(middle);
      if (value <= 0) {
        high = middle;
        highValue = value;
      } else {
        low = middle;
        lowValue = value;
      }
    }
    return new Bracket(low, high);
  }
}
