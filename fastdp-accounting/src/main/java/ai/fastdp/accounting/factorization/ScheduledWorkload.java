/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

/** SGD with momentum and a learning rate for each step. */
public final class ScheduledWorkload implements Workload {

  private final double[] learningRates;
  private final double momentum;

  ScheduledWorkload(double[] learningRates, double momentum) {
    Arguments.positive("number of learningRates", learningRates.length);
    for (int t = 0; t < learningRates.length; t++) {
      Arguments.finitePositive("learningRates[" + t + "]", learningRates[t]);
    }
    checkMomentum(momentum);
    this.learningRates = learningRates;
    this.momentum = momentum;
  }

  static void checkMomentum(double momentum) {
    if (!(momentum >= 0 && momentum < 1)) {
      throw new IllegalArgumentException("momentum must be in [0, 1), got " + momentum);
    }
  }

  @Override
  public int steps() {
    return learningRates.length;
  }

  @Override
  public double[] row(int step) {
    Arguments.step("step", step, steps());
    double[] row = new double[step + 1];
    row[step] = learningRates[step];
    for (int s = step - 1; s >= 0; s--) {
      row[s] = learningRates[s] + momentum * row[s + 1];
    }
    return row;
  }
}
