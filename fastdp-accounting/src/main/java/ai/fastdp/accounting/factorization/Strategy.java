/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

/**
 * The strategy matrix C (T, T) of a factorization A = B C: lower-triangular with a positive
 * diagonal. It has b bands when \(C_{t,s} = 0\) for t - s &gt;= b; one band is independent noise.
 *
 * <p>The noise of step t is row t of \(C^{-1} Z\), computed by {@link NoiseStream}.
 */
public sealed interface Strategy permits ToeplitzStrategy, BandedStrategy {

  /**
   * The number T of steps.
   *
   * @return at least 1
   */
  int steps();

  /**
   * The number b of bands, the diagonal included.
   *
   * @return in [1, T]
   */
  int bands();

  /**
   * One entry of C.
   *
   * @param row in [0, T)
   * @param column in [0, T)
   * @return \(C_{row,column}\); zero outside of the bands
   * @throws IllegalArgumentException if an index is outside of [0, T)
   */
  double entry(int row, int column);

  /**
   * What one record can change in C G, in units of the clip norm.
   *
   * @param participation the steps in which one record may take part
   * @return the sensitivity, rounded up
   */
  Sensitivity sensitivity(Participation participation);

  /**
   * L2 norms of the columns of C; the largest is the sensitivity of a record that takes part once.
   *
   * @return a fresh array of T norms
   */
  default double[] columnNorms() {
    double[] norms = new double[steps()];
    for (int column = 0; column < norms.length; column++) {
      double sum = 0;
      int end = Math.min(norms.length, column + bands());
      for (int row = column; row < end; row++) {
        double c = entry(row, column);
        sum += c * c;
      }
      norms[column] = Math.sqrt(sum);
    }
    return norms;
  }

  /**
   * The coefficients of the noise recurrence of one step: with fresh noise \(z_t\), the correlated
   * noise is \(w_t = (z_t - \sum_{d=1}^{m-1} r_d w_{t-d}) / r_0\), which solves C W = Z row by row.
   *
   * @param step t, in [0, T)
   * @return \(r_d = C_{t,t-d}\) for d = 0 to m - 1, m = min(t + 1, b); a fresh array
   * @throws IllegalArgumentException if {@code step} is outside of [0, T)
   */
  default double[] recurrence(int step) {
    Arguments.step("step", step, steps());
    double[] coefficients = new double[Math.min(step + 1, bands())];
    for (int d = 0; d < coefficients.length; d++) {
      coefficients[d] = entry(step, step - d);
    }
    return coefficients;
  }
}
