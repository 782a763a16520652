/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.accountant;

import ai.fastdp.accounting.internal.numeric.Require;

/**
 * The most that may be spent: (epsilon, delta)-differential privacy, natural logarithm.
 *
 * @param epsilon largest epsilon; finite and positive
 * @param delta the delta at which epsilon is measured; in (0, 1)
 */
public record PrivacyBudget(double epsilon, double delta) {

  /**
   * Checks both numbers.
   *
   * @param epsilon as described above
   * @param delta as described above
   * @throws IllegalArgumentException if {@code epsilon} is not finite and positive or {@code delta}
   *     is not in (0, 1)
   */
  public PrivacyBudget {
    Require.finitePositive("epsilon", epsilon);
    Require.delta(delta);
  }
}
