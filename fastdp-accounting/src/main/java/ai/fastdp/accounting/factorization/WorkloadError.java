/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

import java.util.Arrays;

/**
 * The expected squared error of A G for independent noise Z of variance 1: row t of \(B Z\), \(B =
 * A C^{-1}\), has variance \(\|B_{t\cdot}\|^2\) in each coordinate.
 *
 * @param meanSquared \(\frac{1}{T} \|B\|_F^2\)
 * @param maxSquared \(\max_t \|B_{t\cdot}\|^2\)
 */
public record WorkloadError(double meanSquared, double maxSquared) {

  /**
   * The error of a strategy, in O(T b) for Toeplitz matrices and O(T^2 b) otherwise.
   *
   * @param workload the matrix A (T, T)
   * @param strategy the matrix C (T, T)
   * @return the error per unit of noise
   * @throws IllegalArgumentException if the numbers of steps differ
   */
  public static WorkloadError of(Workload workload, Strategy strategy) {
    Arguments.sameSteps(workload, strategy);
    double[] rows;
    if (workload instanceof ToeplitzWorkload a && strategy instanceof ToeplitzStrategy c) {
      rows = a.series().divided(c.series(), a.steps()).toArray();
      double sum = 0;
      for (int t = 0; t < rows.length; t++) {
        sum += rows[t] * rows[t];
        rows[t] = sum;
      }
    } else {
      try (BlockBidiagonal blocks = BlockBidiagonal.of(strategy)) {
        rows = blocks.squaredRowNorms(workload);
      }
    }
    return new WorkloadError(
        Arrays.stream(rows).average().orElseThrow(), Arrays.stream(rows).max().orElseThrow());
  }

  /**
   * The error at a privacy cost that all strategies share: noise of standard deviation \(\sigma
   * \mathrm{sens}(C)\) costs the same for every C.
   *
   * @param sensitivity the strategy's sensitivity
   * @return both errors times the squared sensitivity
   */
  public WorkloadError underUnitSensitivity(Sensitivity sensitivity) {
    double squared = sensitivity.value() * sensitivity.value();
    return new WorkloadError(meanSquared * squared, maxSquared * squared);
  }

  /**
   * One of the two errors.
   *
   * @param measure which one
   * @return the error
   */
  public double by(ErrorMeasure measure) {
    return measure == ErrorMeasure.MEAN_SQUARED ? meanSquared : maxSquared;
  }
}
