/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

/**
 * The largest Frobenius norm of the change of C G by one record, in units of the clip norm: \(\max
 * \|C (G - G')\|_F / R\).
 *
 * @param value never below the true sensitivity, rounding included
 * @param exact true if {@code value} is the sensitivity up to rounding, false if it is an upper
 *     bound that may be larger
 */
public record Sensitivity(double value, boolean exact) {

  /**
   * Checks the value.
   *
   * @param value as described above
   * @param exact as described above
   * @throws IllegalArgumentException if {@code value} is not finite and positive
   */
  public Sensitivity {
    Arguments.finitePositive("value", value);
  }
}
