/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.solve;

/**
 * The noise N that moving to the grid adds to the total loss L.
 *
 * <p>Given L, it is a sum of independent terms of range d, the spacing, with E[e^{-N} | L] = 1. By
 * Hoeffding's lemma it is sub-Gaussian with parameter \(v = T d^2/4\), T the number of steps.
 * Losses that were rounded up without keeping the mass of Q are exceptions, which count in full.
 */
final class GridNoise {

  /** Jensen's gap is not bounded for a larger root of v. */
  private static final double MAX_DEVIATION = 0.1;

  private final ComposedGrid grid;
  private final double deviation;

  GridNoise(ComposedGrid grid, double steps) {
    this.grid = grid;
    deviation = Math.sqrt(steps) * grid.spacing() / 2;
  }

  /** {@return the root of the sub-Gaussian parameter} */
  double deviation() {
    return deviation;
  }

  /** {@return how the width of bounds changes with the spacing} */
  double widthFactor(double spacingFactor) {
    // The shifted bound's width is linear in the spacing; Jensen's gap is quadratic.
    boolean isShifted = deviation * spacingFactor > MAX_DEVIATION;
    return isShifted ? spacingFactor : spacingFactor * spacingFactor;
  }

  /** Returns a u such that N exceeds it with at most the given probability. */
  double quantileBound(double probability) {
    double v = deviation * deviation;
    return v / 2 + Math.sqrt(-2 * v * Math.log(probability));
  }

  /** Bounds the part of delta that comes from sums with a step that was rounded or moved up. */
  double exceptions(double epsilon) {
    return countedInFull(epsilon, grid.roundedUp() + grid.movedFar());
  }

  /**
   * Bounds the part of delta that comes from sums with a step that was moved up by more than a
   * cell.
   */
  double movedFar(double epsilon) {
    return countedInFull(epsilon, grid.movedFar());
  }

  private double countedInFull(double epsilon, double tiltedMass) {
    return tiltedMass == 0 ? 0 : Math.exp(grid.logScale() - grid.c() * epsilon) * tiltedMass;
  }

  /**
   * Bounds how much moving to the grid has raised delta.
   *
   * <p>With x = L - epsilon it is the expectation of \((e^{-N-x}-1)_+\) for x &gt; 0 and of
   * \((1-e^{-N-x})_+\) for x &lt; 0. As \((e^y-1)_+ \le e^{ky-1}/(k-1)\) and \(y_+ \le
   * e^{ky-1}/k\), Hoeffding's \(E[e^{-kN}] \le e^{k^2v/2}\) and \(E[e^{kN}] \le e^{k^2v/2+kv/2}\)
   * with k = 1 + v^{-1/2} + |x|/v bound both by a multiple of \(e^{-(1-h)x^2/2v}\), h small. By
   * Jensen's inequality that is at most a multiple of the mean over N of a normal density at x + N,
   * because N has variance at most v and mean in [0, v/2].
   */
  double gap(double epsilon) {
    double root = deviation;
    double v = root * root;
    if (root > MAX_DEVIATION) {
      return Double.POSITIVE_INFINITY;
    }
    double h = root;
    // e^{k0^2 v/2 - 1}/(k0 - 1) with k0 = 1 + 1/root, and e^{k v/2} of the second case, with
    // |x|/2 <= h x^2/(2v) + v/(8h)
    double factor =
        root * Math.exp((1 + root) * (1 + root) / 2 - 1 + (1 + root) * root / 2 + v / (8 * h));
    double kernel = v / (1 - h);
    // E[(x + N)^2] <= (1 + h) x^2 + v + (1 + 1/h) m^2, m <= v/2
    double wide = kernel * (1 + h);
    factor *= Math.exp((v + (1 + 1 / h) * v * v / 4) / (2 * wide));
    double gap = factor * smoothed(epsilon, wide) + exceptions(epsilon);
    return gap >= 0 ? gap : Double.POSITIVE_INFINITY; // NaN says nothing
  }

  /** Returns the sum over grid points near epsilon of e^{-x^2/(2 variance)}, x their distance. */
  private double smoothed(double epsilon, double variance) {
    double[] mass = grid.mass();
    double d = grid.spacing();
    double reach = 13 * Math.sqrt(variance);
    double sum = 0;
    long from = (long) Math.floor((epsilon - reach) / d);
    long to = (long) Math.ceil((epsilon + reach) / d);
    for (long i = from; i <= to; i++) {
      double x = i * d - epsilon;
      double p = Math.max(0, mass[(int) Math.floorMod(i, (long) mass.length)]);
      sum += p * Math.exp(grid.logScale() - grid.c() * i * d - x * x / (2 * variance));
    }
    return sum;
  }
}
