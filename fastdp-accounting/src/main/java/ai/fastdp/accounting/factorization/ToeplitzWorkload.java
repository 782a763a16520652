/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

/** A workload that is constant along diagonals: \(A_{t,s} = a_{t-s}\). */
public final class ToeplitzWorkload implements Workload {

  private final Series coefficients;

  ToeplitzWorkload(double[] coefficients) {
    this.coefficients = new Series(coefficients);
  }

  /**
   * A workload with given coefficients.
   *
   * @param coefficients \(a_0, \dots, a_{T-1}\), finite, \(a_0 &gt; 0\)
   * @return the workload
   * @throws IllegalArgumentException if there is no coefficient, the first is not positive, or one
   *     is not finite
   */
  public static ToeplitzWorkload of(double... coefficients) {
    Series.check(coefficients);
    return new ToeplitzWorkload(coefficients.clone());
  }

  @Override
  public int steps() {
    return coefficients.length();
  }

  @Override
  public double[] row(int step) {
    Arguments.step("step", step, steps());
    double[] row = new double[step + 1];
    for (int s = 0; s <= step; s++) {
      row[s] = coefficients.at(step - s);
    }
    return row;
  }

  Series series() {
    return coefficients;
  }
}
