/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

/**
 * The lower-triangular matrix A (T, T) that turns gradients into what training uses: row t of A G
 * is, up to sign and start, the model after step t.
 */
public sealed interface Workload permits ToeplitzWorkload, ScheduledWorkload {

  /**
   * The number T of steps.
   *
   * @return at least 1
   */
  int steps();

  /**
   * One row of A, up to the diagonal.
   *
   * @param step the row, in [0, T)
   * @return \(A_{t,0}, \dots, A_{t,t}\); a fresh array of t + 1 entries
   * @throws IllegalArgumentException if {@code step} is outside of [0, T)
   */
  double[] row(int step);

  /**
   * SGD with a constant learning rate: \(A_{t,s} = 1\) for s &lt;= t.
   *
   * @param steps the number T of steps
   * @return the workload
   * @throws IllegalArgumentException if {@code steps} is below 1
   */
  static ToeplitzWorkload prefixSum(int steps) {
    return momentum(steps, 0, 1);
  }

  /**
   * SGD with momentum \(\beta\) and weight decay: \(m_t = \beta m_{t-1} + g_t\), \(\theta_t =
   * \alpha \theta_{t-1} - m_t\), hence \(A_{t,s} = \sum_{j=0}^{t-s} \alpha^j \beta^{t-s-j}\)
   * (Kalinin, Lampert, <a href="https://arxiv.org/abs/2405.13763">arXiv 2405.13763</a>, section 2).
   *
   * @param steps the number T of steps
   * @param momentum \(\beta\), in [0, 1)
   * @param decay \(\alpha\), in (0, 1]: the factor of the weights in each step; 1 is no decay
   * @return the workload
   * @throws IllegalArgumentException if an argument is out of range
   */
  static ToeplitzWorkload momentum(int steps, double momentum, double decay) {
    Arguments.positive("steps", steps);
    ScheduledWorkload.checkMomentum(momentum);
    if (!(decay > 0 && decay <= 1)) {
      throw new IllegalArgumentException(
          "decay must be in (0, 1], got " + decay + "; it multiplies the weights, 1 is no decay");
    }
    double[] coefficients = new double[steps];
    double velocity = 1;
    coefficients[0] = 1;
    for (int k = 1; k < steps; k++) {
      velocity *= momentum;
      coefficients[k] = decay * coefficients[k - 1] + velocity;
    }
    return new ToeplitzWorkload(coefficients);
  }

  /**
   * SGD with momentum and a learning rate for each step: \(A_{t,s} = \sum_{\tau=s}^{t} \eta_\tau
   * \beta^{\tau-s}\) (Denisov et al., <a href="https://arxiv.org/abs/2202.08312">arXiv
   * 2202.08312</a>).
   *
   * @param learningRates \(\eta_0, \dots, \eta_{T-1}\), finite and positive
   * @param momentum \(\beta\), in [0, 1)
   * @return the workload
   * @throws IllegalArgumentException if there is no rate or an argument is out of range
   */
  static ScheduledWorkload scheduled(double[] learningRates, double momentum) {
    return new ScheduledWorkload(learningRates.clone(), momentum);
  }
}
