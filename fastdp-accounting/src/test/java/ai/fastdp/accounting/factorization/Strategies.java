/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

import java.util.Random;

/** Strategies without structure, for tests. */
final class Strategies {

  private Strategies() {}

  /** Entries of both signs, diagonally dominant, so that the inverse stays small. */
  static BandedStrategy random(int steps, int bands, long seed) {
    Random random = new Random(seed);
    double[][] columns = new double[steps][];
    for (int s = 0; s < steps; s++) {
      columns[s] = new double[Math.min(bands, steps - s)];
      for (int d = 0; d < columns[s].length; d++) {
        columns[s][d] = d == 0 ? 1 + random.nextDouble() : random.nextDouble(-1, 1) / bands;
      }
    }
    return BandedStrategy.of(columns);
  }

  /** Six bands of cos(1 + 3 row + row column), 2 + row / 10 on the diagonal, 20 steps. */
  static BandedStrategy cosines() {
    double[][] columns = new double[20][];
    for (int s = 0; s < 20; s++) {
      columns[s] = new double[Math.min(6, 20 - s)];
      for (int d = 0; d < columns[s].length; d++) {
        int row = s + d;
        columns[s][d] = d == 0 ? 2 + row / 10.0 : Math.cos(1 + 3 * row + row * s);
      }
    }
    return BandedStrategy.of(columns);
  }

  static double[] column(Strategy strategy, int column, int length) {
    double[] values = new double[length];
    for (int d = 0; d < length; d++) {
      values[d] = strategy.entry(column + d, column);
    }
    return values;
  }
}
