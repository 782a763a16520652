/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.accountant;

import ai.fastdp.accounting.internal.loss.DeltaInterval;
import ai.fastdp.accounting.internal.numeric.NormalTail;
import ai.fastdp.accounting.internal.numeric.Require;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.DoubleFunction;

/**
 * The trade-off function f of a composition: the smallest type II error of a test of whether a
 * record took part, as a function of its type I error (Dong, Roth, Su 2022, arXiv 1905.02383).
 *
 * <p>\(f(a) = \sup_{\varepsilon \ge 0} \max\{0, 1 - \delta(\varepsilon) - e^\varepsilon a,
 * e^{-\varepsilon}(1 - \delta'(\varepsilon) - a)\}\), delta' that of the other direction; a
 * symmetric f takes the larger delta in both (proposition 6 there). With upper bounds of delta
 * every epsilon gives a lower bound of f. For the upper bound of f: the first expression is concave
 * in \(e^\varepsilon\) and the second in \(e^{-\varepsilon}\), so chords through three points
 * around the maximum, extended, bound it.
 */
public final class TradeOffCurve {

  private static final double GOLDEN = (3 - Math.sqrt(5)) / 2;
  private static final int SECTIONS = 34;

  private static final int GRID = 96;

  private final Side towards;
  private final Side away;
  private final double largestEpsilon;

  private TradeOffCurve(Side towards, Side away, double largestEpsilon) {
    this.towards = towards;
    this.away = away;
    this.largestEpsilon = largestEpsilon;
  }

  /**
   * One of the two expressions.
   *
   * @param isInverse whether it is the second
   * @param delta of the direction that it needs
   * @param grid where delta was evaluated beforehand; empty if it is evaluated on demand
   */
  private record Side(
      boolean isInverse,
      DoubleFunction<DeltaInterval> delta,
      NavigableMap<Double, DeltaInterval> grid) {}

  /** Returns a curve that evaluates delta about seventy times per point. */
  static TradeOffCurve onDemand(
      DoubleFunction<DeltaInterval> towards,
      DoubleFunction<DeltaInterval> away,
      double largestEpsilon) {
    DoubleFunction<DeltaInterval> first = remembering(towards);
    return new TradeOffCurve(
        new Side(false, first, new TreeMap<>()),
        new Side(true, towards == away ? first : remembering(away), new TreeMap<>()),
        largestEpsilon);
  }

  /** Searches for neighbouring points begin at the same epsilons. */
  private static DoubleFunction<DeltaInterval> remembering(DoubleFunction<DeltaInterval> delta) {
    Map<Double, DeltaInterval> known = new ConcurrentHashMap<>();
    return epsilon -> known.computeIfAbsent(epsilon, delta::apply);
  }

  /** Returns a curve that evaluates delta at a fixed number of epsilons; its envelope is wider. */
  static TradeOffCurve onGrid(
      DoubleFunction<DeltaInterval> towards,
      DoubleFunction<DeltaInterval> away,
      double largestEpsilon) {
    NavigableMap<Double, DeltaInterval> first = grid(towards, largestEpsilon);
    return new TradeOffCurve(
        new Side(false, towards, first),
        new Side(true, away, towards == away ? first : grid(away, largestEpsilon)),
        largestEpsilon);
  }

  private static NavigableMap<Double, DeltaInterval> grid(
      DoubleFunction<DeltaInterval> delta, double largestEpsilon) {
    NavigableMap<Double, DeltaInterval> grid = new TreeMap<>();
    for (int i = 0; i < GRID; i++) {
      double t = (double) i / (GRID - 1);
      double epsilon = largestEpsilon * t * t;
      grid.put(epsilon, delta.apply(epsilon));
    }
    return grid;
  }

  /**
   * Returns the smallest type II error at a type I error.
   *
   * @param typeOne type I error in [0, 1]
   * @return its bounds
   * @throws IllegalArgumentException if {@code typeOne} is not in [0, 1]
   */
  public TypeTwoBound at(double typeOne) {
    Require.probability("typeOne", typeOne);
    TypeTwoBound first = best(towards, typeOne);
    TypeTwoBound second = best(away, typeOne);
    double lower = Math.max(0, Math.max(first.lower(), second.lower()));
    double upper = Math.max(lower, Math.max(first.upper(), second.upper()));
    double estimate = Math.max(first.estimate(), second.estimate());
    return new TypeTwoBound(lower, Math.max(lower, Math.min(upper, estimate)), upper);
  }

  /**
   * Returns a mu such that f lies above the trade-off function of the mu-Gaussian mechanism on a
   * range: sup of \(\Phi^{-1}(1-a) - \Phi^{-1}(f(a))\) over a in [{@code smallest}, 1 - {@code
   * smallest}], rounded up.
   *
   * <p>Between grid points both terms are monotone, so the bound holds on the whole range; more
   * points make it less pessimistic. By symmetry [{@code smallest}, f-fixed point] would be enough.
   * Over all a the supremum of a sampled Gaussian is that of its largest loss, hence the range.
   *
   * @param smallest smallest type I error considered; in (0, 0.5)
   * @param points number of grid points, at least 2
   * @return mu, infinite if f reaches 0 in the range
   * @throws IllegalArgumentException if an argument is out of range
   */
  public double gaussianParameter(double smallest, int points) {
    if (!(smallest > 0 && smallest < 0.5)) {
      throw new IllegalArgumentException("smallest must be in (0, 0.5), got " + smallest);
    }
    if (points < 2) {
      throw new IllegalArgumentException("points must be >= 2, got " + points);
    }
    double quantile = NormalTail.quantileAbove(smallest);
    double mu = 0;
    double last = quantile;
    for (int i = 1; i < points; i++) {
      double z = quantile * (1 - 2.0 * i / (points - 1));
      double lower = at(NormalTail.above(z)).lower();
      if (!(lower > 0)) {
        return Double.POSITIVE_INFINITY;
      }
      mu = Math.max(mu, last + NormalTail.quantileAbove(Math.min(lower, 1 - 0x1p-53)));
      last = z;
    }
    return mu;
  }

  private TypeTwoBound best(Side side, double typeOne) {
    return side.grid().isEmpty() ? maximum(side, typeOne) : onGrid(side, typeOne);
  }

  /** Between grid points delta is at least its lower bound at the next. */
  private static TypeTwoBound onGrid(Side side, double typeOne) {
    NavigableMap<Double, DeltaInterval> grid = side.grid();
    boolean inverse = side.isInverse();
    double lower = 0;
    double estimate = 0;
    double upper = 0;
    for (Map.Entry<Double, DeltaInterval> entry : grid.entrySet()) {
      double epsilon = entry.getKey();
      TypeTwoBound here = value(epsilon, entry.getValue(), typeOne, inverse);
      lower = Math.max(lower, here.lower());
      estimate = Math.max(estimate, here.estimate());
      Map.Entry<Double, DeltaInterval> next = grid.higherEntry(epsilon);
      double least = next == null ? 0 : next.getValue().lower();
      upper = Math.max(upper, value(epsilon, least, typeOne, inverse));
    }
    return new TypeTwoBound(lower, estimate, upper);
  }

  /** Golden section over epsilon. */
  private TypeTwoBound maximum(Side side, double typeOne) {
    boolean inverse = side.isInverse();
    double left = 0;
    double right = largestEpsilon;
    double x = right * GOLDEN;
    TypeTwoBound best = value(side, x, typeOne);
    for (int i = 0; i < SECTIONS; i++) {
      boolean goRight = right - x > x - left;
      double next = goRight ? x + GOLDEN * (right - x) : x - GOLDEN * (x - left);
      TypeTwoBound tried = value(side, next, typeOne);
      if (tried.estimate() >= best.estimate()) {
        if (goRight) {
          left = x;
        } else {
          right = x;
        }
        x = next;
        best = tried;
      } else if (goRight) {
        right = next;
      } else {
        left = next;
      }
    }
    double t = coordinate(x, inverse);
    double toLeft = Math.abs(coordinate(left, inverse) - t);
    double toRight = Math.abs(coordinate(right, inverse) - t);
    double fallLeft = Math.max(0, best.upper() - value(side, left, typeOne).lower());
    double fallRight = Math.max(0, best.upper() - value(side, right, typeOne).lower());
    double beyondRight = toLeft > 0 ? fallLeft / toLeft * toRight : 0;
    double beyondLeft = toRight > 0 ? fallRight / toRight * toLeft : 0;
    return new TypeTwoBound(
        best.lower(), best.estimate(), best.upper() + Math.max(beyondLeft, beyondRight));
  }

  private static double coordinate(double epsilon, boolean inverse) {
    return Math.exp(inverse ? -epsilon : epsilon);
  }

  private static TypeTwoBound value(Side side, double epsilon, double typeOne) {
    return value(epsilon, side.delta().apply(epsilon), typeOne, side.isInverse());
  }

  private static TypeTwoBound value(
      double epsilon, DeltaInterval bound, double typeOne, boolean inverse) {
    return new TypeTwoBound(
        value(epsilon, bound.upper(), typeOne, inverse),
        value(epsilon, bound.estimate(), typeOne, inverse),
        value(epsilon, bound.lower(), typeOne, inverse));
  }

  private static double value(double epsilon, double delta, double typeOne, boolean inverse) {
    return inverse
        ? Math.exp(-epsilon) * (1 - delta - typeOne)
        : 1 - delta - Math.exp(epsilon) * typeOne;
  }
}
