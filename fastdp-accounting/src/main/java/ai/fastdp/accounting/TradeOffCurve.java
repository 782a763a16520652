/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;

/**
 * The trade-off function f of a composition: the smallest type II error of a test of whether a
 * record took part, as a function of its type I error (Dong, Roth, Su 2022, arXiv 1905.02383).
 *
 * <p>f is the symmetric one, for both directions together: \(f(a) = \sup_{\varepsilon \ge 0}
 * \max\{0, 1 - \delta(\varepsilon) - e^\varepsilon a, e^{-\varepsilon}(1 - \delta(\varepsilon) -
 * a)\}\) (proposition 6 there). With upper bounds of delta every epsilon gives a lower bound of f.
 * For the upper bound of f: the first expression is concave in \(e^\varepsilon\) and the second in
 * \(e^{-\varepsilon}\), so chords through three points around the maximum, extended, bound it.
 */
public final class TradeOffCurve {

  private static final double GOLDEN = (3 - Math.sqrt(5)) / 2;
  private static final int SECTIONS = 34;

  private static final int GRID = 96;

  private final Function<Double, DeltaBound> delta;
  private final double largestEpsilon;

  /** Where delta was evaluated beforehand; empty if it is evaluated on demand. */
  private final NavigableMap<Double, DeltaBound> grid;

  private TradeOffCurve(
      Function<Double, DeltaBound> delta,
      double largestEpsilon,
      NavigableMap<Double, DeltaBound> grid) {
    this.delta = delta;
    this.largestEpsilon = largestEpsilon;
    this.grid = grid;
  }

  /** A curve that asks for delta some seventy times per point. */
  static TradeOffCurve onDemand(Function<Double, DeltaBound> delta, double largestEpsilon) {
    // Searches for neighbouring points begin at the same epsilons.
    Map<Double, DeltaBound> known = new ConcurrentHashMap<>();
    return new TradeOffCurve(
        epsilon -> known.computeIfAbsent(epsilon, delta), largestEpsilon, new TreeMap<>());
  }

  /** A curve from a fixed number of deltas, with a wider envelope. */
  static TradeOffCurve onGrid(Function<Double, DeltaBound> delta, double largestEpsilon) {
    NavigableMap<Double, DeltaBound> grid = new TreeMap<>();
    for (int i = 0; i < GRID; i++) {
      double t = (double) i / (GRID - 1);
      double epsilon = largestEpsilon * t * t;
      grid.put(epsilon, delta.apply(epsilon));
    }
    return new TradeOffCurve(delta, largestEpsilon, grid);
  }

  /**
   * The smallest type II error.
   *
   * @param typeOne type I error in [0, 1]
   * @return its bounds
   * @throws IllegalArgumentException if {@code typeOne} is not in [0, 1]
   */
  public TypeTwoBound at(double typeOne) {
    Require.probability("typeOne", typeOne);
    TypeTwoBound first = grid.isEmpty() ? maximum(typeOne, false) : onGrid(typeOne, false);
    TypeTwoBound second = grid.isEmpty() ? maximum(typeOne, true) : onGrid(typeOne, true);
    double lower = Math.max(0, Math.max(first.lower(), second.lower()));
    double upper = Math.max(lower, Math.max(first.upper(), second.upper()));
    double estimate = Math.max(first.estimate(), second.estimate());
    return new TypeTwoBound(lower, Math.max(lower, Math.min(upper, estimate)), upper);
  }

  /**
   * A mu such that f lies above the trade-off function of the mu-Gaussian mechanism on a range: sup
   * of \(\Phi^{-1}(1-a) - \Phi^{-1}(f(a))\) over a in [{@code smallest}, 1 - {@code smallest}],
   * rounded up.
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

  /** Between grid points delta is at least its lower bound at the next. */
  private TypeTwoBound onGrid(double typeOne, boolean inverse) {
    double lower = 0;
    double estimate = 0;
    double upper = 0;
    for (Map.Entry<Double, DeltaBound> entry : grid.entrySet()) {
      double epsilon = entry.getKey();
      TypeTwoBound here = value(epsilon, entry.getValue(), typeOne, inverse);
      lower = Math.max(lower, here.lower());
      estimate = Math.max(estimate, here.estimate());
      Map.Entry<Double, DeltaBound> next = grid.higherEntry(epsilon);
      double least = next == null ? 0 : next.getValue().lower();
      upper = Math.max(upper, value(epsilon, least, typeOne, inverse));
    }
    return new TypeTwoBound(lower, estimate, upper);
  }

  /** Golden section over epsilon. */
  private TypeTwoBound maximum(double typeOne, boolean inverse) {
    double left = 0;
    double right = largestEpsilon;
    double x = right * GOLDEN;
    TypeTwoBound best = value(x, typeOne, inverse);
    for (int i = 0; i < SECTIONS; i++) {
      boolean goRight = right - x > x - left;
      double next = goRight ? x + GOLDEN * (right - x) : x - GOLDEN * (x - left);
      TypeTwoBound tried = value(next, typeOne, inverse);
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
    double fallLeft = Math.max(0, best.upper() - value(left, typeOne, inverse).lower());
    double fallRight = Math.max(0, best.upper() - value(right, typeOne, inverse).lower());
    double beyondRight = toLeft > 0 ? fallLeft / toLeft * toRight : 0;
    double beyondLeft = toRight > 0 ? fallRight / toRight * toLeft : 0;
    return new TypeTwoBound(
        best.lower(), best.estimate(), best.upper() + Math.max(beyondLeft, beyondRight));
  }

  private static double coordinate(double epsilon, boolean inverse) {
    return Math.exp(inverse ? -epsilon : epsilon);
  }

  private TypeTwoBound value(double epsilon, double typeOne, boolean inverse) {
    return value(epsilon, delta.apply(epsilon), typeOne, inverse);
  }

  private static TypeTwoBound value(
      double epsilon, DeltaBound bound, double typeOne, boolean inverse) {
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
