/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

/** A strategy with b bands and no other structure (arXiv 2306.08153). */
public final class BandedStrategy implements Strategy {

  private final int steps;
  private final int bands;

  /** Column after column: entry (s + d, s) at s b + d; zero where s + d is past the end. */
  private final double[] packed;

  BandedStrategy(int steps, int bands, double[] packed) {
    this.steps = steps;
    this.bands = bands;
    this.packed = packed;
  }

  /**
   * A strategy with given columns.
   *
   * @param columns {@code columns[s]} holds \(C_{s,s}, C_{s+1,s}, \dots\): min(b, T - s) entries, b
   *     the length of the first column, all finite, the first of each positive
   * @return the strategy
   * @throws IllegalArgumentException if a length or an entry is wrong
   */
  public static BandedStrategy of(double[][] columns) {
    Arguments.positive("number of columns", columns.length);
    int steps = columns.length;
    int bands = columns[0].length;
    Arguments.bands(bands, steps);
    double[] packed = new double[Math.multiplyExact(steps, bands)];
    for (int s = 0; s < steps; s++) {
      int length = Math.min(bands, steps - s);
      if (columns[s].length != length) {
        throw new IllegalArgumentException(
            "columns[" + s + "] must have " + length + " entries, got " + columns[s].length);
      }
      Arguments.finitePositive("columns[" + s + "][0]", columns[s][0]);
      for (int d = 0; d < length; d++) {
        Arguments.finite("columns[" + s + "][" + d + "]", columns[s][d]);
        packed[s * bands + d] = columns[s][d];
      }
    }
    return new BandedStrategy(steps, bands, packed);
  }

  /**
   * A strategy with its columns scaled to norm 1. A Toeplitz strategy has shorter columns near the
   * end; scaling them costs no sensitivity and lowers the error.
   *
   * @param strategy any strategy
   * @return the scaled strategy
   */
  public static BandedStrategy columnNormalized(Strategy strategy) {
    int steps = strategy.steps();
    int bands = strategy.bands();
    double[] norms = strategy.columnNorms();
    double[] packed = new double[Math.multiplyExact(steps, bands)];
    for (int s = 0; s < steps; s++) {
      for (int d = 0; d < Math.min(bands, steps - s); d++) {
        packed[s * bands + d] = strategy.entry(s + d, s) / norms[s];
      }
    }
    return new BandedStrategy(steps, bands, packed);
  }

  @Override
  public int steps() {
    return steps;
  }

  @Override
  public int bands() {
    return bands;
  }

  @Override
  public double entry(int row, int column) {
    Arguments.step("row", row, steps);
    Arguments.step("column", column, steps);
    int d = row - column;
    return d < 0 || d >= bands ? 0 : packed[column * bands + d];
  }

  /**
   * {@inheritDoc}
   *
   * <p>With \(X = C^\top C\) the squared sensitivity is at most the largest \(\sum_{i,j \in \pi}
   * |X_{ij}|\) over the allowed sets \(\pi\) of steps, with equality where contributions of one
   * sign pattern reach it (<a href="https://arxiv.org/abs/2211.06530">arXiv 2211.06530</a>).
   *
   * <ul>
   *   <li>Min-separation with b &lt;= 2 separation, or at most two participations: exact by dynamic
   *       programming in O(T k (b - separation + 1)). Each participation then interacts with its
   *       predecessor alone, so that signs can be chosen along the chain. For b &lt;= separation
   *       this is shown in <a href="https://arxiv.org/abs/2306.08153">arXiv 2306.08153</a>:
   *       \(\sum_{i \in \pi} X_{ii}\).
   *   <li>Min-separation otherwise: an upper bound, largest row sums first, then the largest sum of
   *       these (arXiv 2306.08153, "VecSens"), in O(T b k).
   *   <li>Cyclic: all patterns are tried; exact if X is nowhere negative on the pattern.
   * </ul>
   */
  @Override
  public Sensitivity sensitivity(Participation participation) {
    return WorstColumns.of(Gram.of(this), participation);
  }

  double[] packed() {
    return packed.clone();
  }

  @Override
  public String toString() {
    return "BandedStrategy[steps=" + steps + ", bands=" + bands + "]";
  }
}
