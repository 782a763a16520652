/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.loss;

/**
 * What one step's loss is near to.
 *
 * @param probability of being sampled, q; the rest has the loss {@code rest}
 * @param mu of the Gaussian mechanism that the loss of a sampled step is that of, plus {@code
 *     shift}
 * @param slack by how much the loss may differ
 * @param failure probability of differing more
 */
public record Separation(
    double probability, double mu, double shift, double rest, double slack, double failure) {

  /** A loss that is exactly that of the Gaussian mechanism. */
  static Separation gaussian(double mu) {
    return new Separation(1, mu, 0, 0, 0, 0);
  }
}
