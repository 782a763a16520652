/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

/**
 * Matrices written out, and the definitions applied to them: shares no code with what it checks.
 */
final class Dense {

  private Dense() {}

  static double[][] of(Strategy strategy) {
    int n = strategy.steps();
    double[][] matrix = new double[n][n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        matrix[i][j] = strategy.entry(i, j);
      }
    }
    return matrix;
  }

  static double[][] of(Workload workload) {
    int n = workload.steps();
    double[][] matrix = new double[n][n];
    for (int i = 0; i < n; i++) {
      System.arraycopy(workload.row(i), 0, matrix[i], 0, i + 1);
    }
    return matrix;
  }

  static double[][] product(double[][] a, double[][] b) {
    int n = a.length;
    double[][] product = new double[n][n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        for (int k = 0; k < n; k++) {
          product[i][j] += a[i][k] * b[k][j];
        }
      }
    }
    return product;
  }

  /** \(C^{-1}\), the noise that {@link NoiseStream} makes of unit vectors. */
  static double[][] inverse(Strategy strategy) {
    int n = strategy.steps();
    NoiseStream stream = new NoiseStream(strategy, n);
    double[][] inverse = new double[n][];
    for (int t = 0; t < n; t++) {
      double[] unit = new double[n];
      unit[t] = 1;
      inverse[t] = stream.next(unit);
    }
    return inverse;
  }

  /** All allowed sets of steps, all signs: the largest \(\|C u\|\), u in {-1, 0, 1}^T. */
  static double bruteForceSensitivity(double[][] c, Participation participation) {
    return extend(c, participation, new double[c.length], 0, 0, -1);
  }

  private static double extend(
      double[][] c, Participation participation, double[] sum, int next, int taken, int last) {
    double best = norm(sum);
    for (int step = next; step < c.length; step++) {
      if (!allowed(participation, step, taken, last)) {
        continue;
      }
      for (int sign : new int[] {1, -1}) {
        double[] extended = sum.clone();
        for (int r = 0; r < c.length; r++) {
          extended[r] += sign * c[r][step];
        }
        best = Math.max(best, extend(c, participation, extended, step + 1, taken + 1, step));
      }
    }
    return best;
  }

  private static boolean allowed(Participation participation, int step, int taken, int last) {
    if (participation instanceof Participation.MinSeparation pattern) {
      return taken < pattern.maxParticipations()
          && (last < 0 || step - last >= pattern.separation());
    }
    return last < 0 || (step - last) % ((Participation.Cyclic) participation).period() == 0;
  }

  private static double norm(double[] vector) {
    double sum = 0;
    for (double x : vector) {
      sum += x * x;
    }
    return Math.sqrt(sum);
  }
}
