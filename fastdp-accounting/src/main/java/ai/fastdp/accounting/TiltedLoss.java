/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

/** The privacy loss L under the law proportional to e^{cL} dP, and its characteristic function. */
interface TiltedLoss {

  /** K and its derivatives at c. */
  LossPair.Cumulant cumulant();

  /**
   * Adds {@code count} times the logarithm of the centred characteristic function, \(\log E[e^{i s
   * (L - K'(c))}]\), at s = k {@code step} for k in [{@code from}, {@code to}).
   */
  void addLogPhi(double step, int from, int to, double count, double[] re, double[] im);

  /**
   * A bound of log|phi(s)| that holds for every s in [{@code lowest}, {@code highest}].
   *
   * @return a number &lt;= 0
   */
  double logModulusBound(double lowest, double highest);

  /** Relative error of the moment generating function because the quadrature ends somewhere. */
  double edgeError();

  /** How many nodes one frequency costs near s; at least 1. */
  double costAt(double s);
}
