/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

import ai.fastdp.accounting.event.GaussianEvent;
import java.util.Objects;

/**
 * A whole run with correlated noise and no amplification by sampling: the release of C G + Z,
 * entries of Z independent with standard deviation {@code noiseMultiplier} R, R the clip norm. It
 * is one Gaussian mechanism, also when gradients depend on earlier outputs (Denisov et al., <a
 * href="https://arxiv.org/abs/2202.08312">arXiv 2202.08312</a>).
 *
 * <p>The batches of all other records must not depend on whether a record is there. Under {@code
 * REPLACE_ONE} a replaced record keeps its steps; the accountants then double the sensitivity.
 *
 * @param strategy the matrix C
 * @param participation the steps in which one record may take part; enforced by the batches
 * @param noiseMultiplier standard deviation of the independent noise Z, before it is correlated,
 *     divided by R; finite and positive
 */
public record MatrixMechanism(
    Strategy strategy, Participation participation, double noiseMultiplier) {

  /**
   * Checks the noise multiplier.
   *
   * @param strategy as described above
   * @param participation as described above
   * @param noiseMultiplier as described above
   * @throws IllegalArgumentException if {@code noiseMultiplier} is not finite and positive
   */
  public MatrixMechanism {
    Objects.requireNonNull(strategy, "strategy");
    Objects.requireNonNull(participation, "participation");
    Arguments.finitePositive("noiseMultiplier", noiseMultiplier);
  }

  /**
   * The mechanism that costs no more than one Gaussian release.
   *
   * @param strategy the matrix C
   * @param participation the steps in which one record may take part
   * @param event what the run may cost, as calibrated for a single step without sampling
   * @return the mechanism; its event has at least the noise multiplier of {@code event}
   */
  public static MatrixMechanism costing(
      Strategy strategy, Participation participation, GaussianEvent event) {
    double sensitivity = strategy.sensitivity(participation).value();
    double noise = Math.nextUp(event.noiseMultiplier() * sensitivity);
    while (effective(noise, sensitivity) < event.noiseMultiplier()) {
      noise = Math.nextUp(noise);
    }
    return new MatrixMechanism(strategy, participation, noise);
  }

  /**
   * What the whole run costs, for any accountant: a Gaussian event with noise multiplier \(\sigma /
   * \mathrm{sens}(C)\), rounded down.
   *
   * @return one event for all T steps
   */
  public GaussianEvent event() {
    return new GaussianEvent(
        effective(noiseMultiplier, strategy.sensitivity(participation).value()));
  }

  private static double effective(double noise, double sensitivity) {
    return Math.nextDown(noise / sensitivity);
  }
}
