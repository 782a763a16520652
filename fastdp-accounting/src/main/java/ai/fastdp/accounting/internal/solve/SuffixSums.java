/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.solve;

/**
 * delta of the distribution on a {@link ComposedGrid}: sums over all grid points above epsilon,
 * kept at the first point of every block of the grid.
 */
final class SuffixSums {

  /** Grid points between kept sums; divides every length. */
  private static final int BLOCK = 1 << 11;

  /** Smaller sums may have lost terms that underflow. */
  private static final double MIN_SUM = 1e-270;

  private final ComposedGrid grid;
  private final long firstIndex;
  private final Suffix[] suffixes;

  /**
   * Computes the sums.
   *
   * @param firstIndex index of the smallest loss of the window
   */
  SuffixSums(ComposedGrid grid, long firstIndex) {
    this.grid = grid;
    this.firstIndex = firstIndex;
    int blocks = grid.length() / BLOCK;
    suffixes = new Suffix[blocks + 1];
    suffixes[blocks] = new Suffix(0, 0);
    for (int block = blocks - 1; block >= 0; block--) {
      suffixes[block] = suffix(block * BLOCK, (block + 1) * BLOCK, suffixes[block + 1]);
    }
  }

  /**
   * Sums over all grid points l from one point l_j of the window on, of mass times e^{-c (l - l_j)}
   * and a factor.
   *
   * @param shrunk the factor is e^{l_j - l}
   * @param hockey the factor is 1 - e^{l_j - l}
   */
  private record Suffix(double shrunk, double hockey) {}

  /** {@return the smallest epsilon at which delta is known} */
  double lowest() {
    return (firstIndex + 1) * grid.spacing();
  }

  /** {@return the largest loss of the window} */
  double highest() {
    return (firstIndex + grid.length() - 1) * grid.spacing();
  }

  /** Returns delta, or NaN if epsilon is too far from where it is known. */
  double delta(double epsilon) {
    double spacing = grid.spacing();
    long first = (long) Math.floor(epsilon / spacing) + 1 - firstIndex;
    if (first >= grid.length()) {
      return 0;
    }
    if (first < 0) {
      return Double.NaN; // below the window
    }
    int from = (int) first;
    int block = from / BLOCK;
    Suffix suffix = suffix(from, (block + 1) * BLOCK, suffixes[block + 1]);
    double point = (firstIndex + from) * spacing;
    // 1 - e^{epsilon - l} = (1 - e^{epsilon - point}) e^{point - l} + (1 - e^{point - l})
    double sum = suffix.shrunk() * -Math.expm1(epsilon - point) + suffix.hockey();
    return Math.abs(sum) < MIN_SUM
        ? Double.NaN
        : sum * Math.exp(grid.logScale() - grid.c() * point);
  }

  /** Returns the sums at one point, given those at a later point. */
  private Suffix suffix(int from, int to, Suffix beyond) {
    double[] mass = grid.mass();
    int n = mass.length;
    double c = grid.c();
    double spacing = grid.spacing();
    double decay = Math.exp(-c * spacing);
    double shrink = Math.exp(-(c + 1) * spacing);
    double rise = -Math.expm1(-spacing);
    double shrunk = 0;
    double hockey = 0;
    int index = (int) Math.floorMod(firstIndex + to, (long) n);
    for (int i = to; i > from; i--) {
      index = (index == 0 ? n : index) - 1;
      hockey = decay * (hockey + rise * shrunk);
      shrunk = mass[index] + shrink * shrunk;
    }
    double distance = (to - from) * spacing;
    return new Suffix(
        shrunk + Math.exp(-(c + 1) * distance) * beyond.shrunk(),
        hockey
            + Math.exp(-c * distance)
                * (beyond.hockey() - Math.expm1(-distance) * beyond.shrunk()));
  }

  /**
   * Bounds the relative rounding error of the sums, whose terms are non-negative apart from the
   * noise of the transform: every step of their recurrence errs by a few units in the last place,
   * and so does every block.
   */
  double relativeError() {
    return 0x1p-49 * (BLOCK + (double) grid.length() / BLOCK)
        + 0x1p-51 * (grid.c() + 1) * grid.spacing() * grid.length();
  }
}
