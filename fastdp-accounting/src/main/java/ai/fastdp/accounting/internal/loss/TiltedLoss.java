/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.loss;

/**
 * The privacy loss L under the distribution proportional to e^{cL} dP, and its characteristic
 * function.
 */
public interface TiltedLoss {

  /** {@return K and its derivatives at c} */
  DominatingPair.Cumulant cumulant();

  /**
   * Adds {@code count} times the logarithm of the centred characteristic function, \(\log E[e^{i s
   * (L - K'(c))}]\), at s = k {@code step} for k in [{@code from}, {@code to}).
   */
  void addLogPhi(double step, int from, int to, double count, double[] re, double[] im);

  /**
   * \(\log|1 + x + iy|\) that keeps its digits near 1 and far from there: where the modulus is
   * small, its square must not come from the square minus 1, an error of one unit in whose last
   * place is one of its root, 1e-8, in the modulus.
   */
  static double logModulus(double x, double y) {
    double change = x * (2 + x) + y * y;
    return 0.5 * (change > -0.5 ? Math.log1p(change) : Math.log((1 + x) * (1 + x) + y * y));
  }

  /**
   * Returns a bound of log|phi(s)| that holds for every s in [{@code lowest}, {@code highest}].
   *
   * @return a bound &lt;= 0
   */
  double logModulusBound(double lowest, double highest);

  /**
   * {@return the relative error of the moment generating function from the ends of the quadrature}
   */
  double edgeError();

  /** Returns the number of nodes that one frequency costs near s; at least 1. */
  double costAt(double s);
}
