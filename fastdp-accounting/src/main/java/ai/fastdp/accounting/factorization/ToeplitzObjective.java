/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

/**
 * \(\|c\|^2 \sum_s w_s \beta_s^2\), \(\beta = a / c\) as power series: the error of a Toeplitz
 * strategy under a single participation. Coefficient s is in T - s rows of B, so that w_s = (T - s)
 * / T for the mean; the last row has the largest norm and has all of them, w_s = 1.
 */
final class ToeplitzObjective {

  private final ToeplitzWorkload workload;
  private final double[] weights;

  ToeplitzObjective(ToeplitzWorkload workload, ErrorMeasure measure) {
    this.workload = workload;
    int steps = workload.steps();
    weights = new double[steps];
    for (int s = 0; s < steps; s++) {
      weights[s] = measure == ErrorMeasure.MEAN_SQUARED ? (double) (steps - s) / steps : 1;
    }
  }

  double value(double[] coefficients) {
    Series c = new Series(coefficients);
    return c.squaredNorm() * error(beta(c));
  }

  /**
   * With \(\lambda\) the solution of \(T(c)^\top \lambda = 2 w \beta\): \(-\lambda\) correlated
   * with \(\beta\).
   */
  double[] gradient(double[] coefficients) {
    Series c = new Series(coefficients);
    double[] beta = beta(c);
    int steps = beta.length;
    double[] reversed = new double[steps];
    for (int s = 0; s < steps; s++) {
      reversed[steps - 1 - s] = 2 * weights[s] * beta[s];
    }
    Series lambda = new Series(reversed).divided(c, steps);
    double error = error(beta);
    double norm = c.squaredNorm();
    double[] gradient = new double[coefficients.length];
    for (int k = 0; k < gradient.length; k++) {
      double sum = 0;
      for (int s = k; s < steps; s++) {
        sum += lambda.at(steps - 1 - s) * beta[s - k];
      }
      gradient[k] = 2 * coefficients[k] * error - norm * sum;
    }
    return gradient;
  }

  private double[] beta(Series c) {
    return workload.series().divided(c, workload.steps()).toArray();
  }

  private double error(double[] beta) {
    double sum = 0;
    for (int s = 0; s < beta.length; s++) {
      sum += weights[s] * beta[s] * beta[s];
    }
    return sum;
  }
}
