/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

/**
 * One step of a mechanism as a pair of distributions (P, Q), seen through the privacy loss L = log
 * dP/dQ under P.
 */
interface LossPair {

  /**
   * Value and first two derivatives of the cumulant \(K(c) = \log E_P[e^{cL}]\).
   *
   * @param value K(c)
   * @param mean K'(c), the mean of L under the tilted law
   * @param variance K''(c), its variance
   */
  record Cumulant(double value, double mean, double variance) {}

  /** The cumulant at c &gt; 0. */
  Cumulant cumulant(double c);

  /** The law of L under P, tilted by e^{cL}. */
  TiltedLoss tilt(double c);
}
