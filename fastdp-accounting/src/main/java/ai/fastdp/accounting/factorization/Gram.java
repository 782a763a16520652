/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

/** The symmetric banded matrix \(X = C^\top C\) of inner products of the columns of a strategy. */
final class Gram {

  /** {@code diagonals[d][i]} is \(X_{i,i+d}\). */
  private final double[][] diagonals;

  Gram(double[][] diagonals) {
    this.diagonals = diagonals;
  }

  static Gram of(BandedStrategy strategy) {
    try (BlockBidiagonal blocks = BlockBidiagonal.of(strategy)) {
      return new Gram(blocks.gramDiagonals(strategy.bands()));
    }
  }

  /** \(X_{i,j} = X_{i+1,j+1} + c_{T-1-i} c_{T-1-j}\), from the last column backwards. */
  static Gram of(ToeplitzStrategy strategy) {
    int steps = strategy.steps();
    Series c = strategy.series();
    double[][] diagonals = new double[strategy.bands()][];
    for (int d = 0; d < diagonals.length; d++) {
      double[] diagonal = new double[steps - d];
      double sum = 0;
      for (int i = steps - 1 - d; i >= 0; i--) {
        sum += c.at(steps - 1 - i) * c.at(steps - 1 - i - d);
        diagonal[i] = sum;
      }
      diagonals[d] = diagonal;
    }
    return new Gram(diagonals);
  }

  int size() {
    return diagonals[0].length;
  }

  /** Columns this far apart and further are orthogonal. */
  int bands() {
    return diagonals.length;
  }

  double at(int i, int j) {
    int d = Math.abs(i - j);
    return d < diagonals.length ? diagonals[d][Math.min(i, j)] : 0;
  }

  double largestDiagonal() {
    double largest = 0;
    for (double x : diagonals[0]) {
      largest = Math.max(largest, x);
    }
    return largest;
  }
}
