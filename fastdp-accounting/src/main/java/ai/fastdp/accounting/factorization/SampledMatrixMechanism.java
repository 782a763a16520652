/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.PoissonSampledEvent;
import ai.fastdp.accounting.event.SelfComposedEvent;
import java.util.Objects;

/**
 * A whole run with correlated noise, amplified by cyclic Poisson sampling: the records are divided
 * into m groups, and step t takes every record of group t mod m with probability {@code
 * sampleRate}, independently (Choquette-Choo et al., <a
 * href="https://arxiv.org/abs/2306.08153">arXiv 2306.08153</a>).
 *
 * <p>A record of group j can change the columns j, j + m, j + 2m, ... of C alone. With no more than
 * m bands these have no row in common, so that the run is a composition of at most ceil(T / m)
 * Poisson-sampled Gaussian mechanisms, each of sensitivity at most the largest column norm. With
 * more bands the columns overlap and the argument fails; the constructor refuses that.
 *
 * <p>A record's group must not depend on other records, or adding one would move others. The sample
 * rate is that within a group: the expected batch is sampleRate N / m.
 *
 * @param strategy the matrix C with at most {@code groups} bands
 * @param groups the number m of groups; at least 1
 * @param sampleRate probability that a record of the group takes part, in [0, 1]
 * @param noiseMultiplier standard deviation of the independent noise Z, before it is correlated,
 *     divided by the clip norm; finite and positive
 */
public record SampledMatrixMechanism(
    Strategy strategy, int groups, double sampleRate, double noiseMultiplier) {

  /**
   * Checks the numbers.
   *
   * @param strategy as described above
   * @param groups as described above
   * @param sampleRate as described above
   * @param noiseMultiplier as described above
   * @throws IllegalArgumentException if a number is out of range or the strategy has more bands
   *     than there are groups
   */
  public SampledMatrixMechanism {
    Objects.requireNonNull(strategy, "strategy");
    Arguments.positive("groups", groups);
    if (groups < strategy.bands()) {
      throw new IllegalArgumentException(
          "groups must be >= the strategy's "
              + strategy.bands()
              + " bands, got "
              + groups
              + "; use more groups or fewer bands, or MatrixMechanism without amplification");
    }
    if (!(sampleRate >= 0 && sampleRate <= 1)) {
      throw new IllegalArgumentException(
          "sampleRate must be in [0, 1], got " + sampleRate + "; it is a probability");
    }
    Arguments.finitePositive("noiseMultiplier", noiseMultiplier);
  }

  /**
   * What the whole run costs.
   *
   * @return ceil(T / m) Poisson-sampled Gaussian events with noise multiplier \(\sigma / \max_s
   *     \|C_{\cdot s}\|\), rounded down
   */
  public DpEvent event() {
    double sensitivity = strategy.sensitivity(Participation.single()).value();
    GaussianEvent step = new GaussianEvent(Math.nextDown(noiseMultiplier / sensitivity));
    long rounds = ((long) strategy.steps() + groups - 1) / groups;
    return new SelfComposedEvent(new PoissonSampledEvent(sampleRate, step), rounds);
  }
}
