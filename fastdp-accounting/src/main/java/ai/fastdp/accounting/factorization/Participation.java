/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

/**
 * In which steps of a run one record may take part. The pattern must hold whatever the data are:
 * whoever forms the batches has to enforce it.
 */
public sealed interface Participation {

  /**
   * One step at most.
   *
   * @return the pattern
   */
  static Participation single() {
    return new MinSeparation(1, 1);
  }

  /**
   * Any steps that are far enough apart: two steps i &lt; j of one record satisfy j - i &gt;=
   * {@code separation} ("b-min-sep", Choquette-Choo et al., <a
   * href="https://arxiv.org/abs/2306.08153">arXiv 2306.08153</a>).
   *
   * @param separation at least 1; 1 allows neighbouring steps
   * @param maxParticipations largest number of steps of one record; at least 1
   */
  record MinSeparation(int separation, int maxParticipations) implements Participation {

    /**
     * Checks the numbers.
     *
     * @param separation as described above
     * @param maxParticipations as described above
     * @throws IllegalArgumentException if a number is below 1
     */
    public MinSeparation {
      Arguments.positive("separation", separation);
      Arguments.positive("maxParticipations", maxParticipations);
    }
  }

  /**
   * Every {@code period} steps, or some of these: batches in the same order in every epoch ("(k,
   * b)-participation", Choquette-Choo et al., <a href="https://arxiv.org/abs/2211.06530">arXiv
   * 2211.06530</a>).
   *
   * @param period number of steps of an epoch; at least 1
   */
  record Cyclic(int period) implements Participation {

    /**
     * Checks the period.
     *
     * @param period as described above
     * @throws IllegalArgumentException if the period is below 1
     */
    public Cyclic {
      Arguments.positive("period", period);
    }
  }
}
