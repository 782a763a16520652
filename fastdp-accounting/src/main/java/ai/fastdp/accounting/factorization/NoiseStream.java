/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

/**
 * Correlated noise, step after step: the rows of \(W = C^{-1} Z\) from the rows of independent
 * noise Z, by solving C W = Z forwards (arXiv 2306.08153). It keeps the last b - 1 rows: O(b d)
 * time and memory for each step.
 *
 * <p>Mutable and not thread-safe.
 */
public final class NoiseStream {

  private final Strategy strategy;
  private final double[][] rows;
  private int step;

  /**
   * A stream at step 0.
   *
   * @param strategy the matrix C (T, T)
   * @param dimension the number d of columns of Z; at least 1
   * @throws IllegalArgumentException if {@code dimension} is below 1
   */
  public NoiseStream(Strategy strategy, int dimension) {
    Arguments.positive("dimension", dimension);
    this.strategy = strategy;
    this.rows = new double[strategy.bands()][dimension];
  }

  /**
   * The correlated noise of the next step.
   *
   * @param fresh row t of Z (d): independent noise that was used nowhere else
   * @return row t of \(C^{-1} Z\) (d); a fresh array
   * @throws IllegalArgumentException if the length of {@code fresh} is not d
   * @throws IllegalStateException if all T steps were taken; the sensitivity holds for T steps only
   */
  public double[] next(double[] fresh) {
    int dimension = rows[0].length;
    if (fresh.length != dimension) {
      throw new IllegalArgumentException(
          "fresh must have " + dimension + " entries, got " + fresh.length);
    }
    if (step == strategy.steps()) {
      throw new IllegalStateException(
          "step must be below the strategy's "
              + strategy.steps()
              + " steps, got "
              + step
              + "; plan a strategy with more steps");
    }
    double[] coefficients = strategy.recurrence(step);
    double[] row = fresh.clone();
    for (int d = 1; d < coefficients.length; d++) {
      double[] earlier = rows[(step - d) % rows.length];
      for (int i = 0; i < dimension; i++) {
        row[i] -= coefficients[d] * earlier[i];
      }
    }
    for (int i = 0; i < dimension; i++) {
      row[i] /= coefficients[0];
    }
    rows[step % rows.length] = row;
    step++;
    return row.clone();
  }
}
