/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.numeric;

/** A sum of positive values given by their logarithms, which cannot overflow. */
public final class LogSum {

  private double scale = Double.NEGATIVE_INFINITY;
  private double sum;

  public void add(double logTerm) {
    if (logTerm == Double.NEGATIVE_INFINITY) {
      return;
    }
    if (logTerm <= scale) {
      sum += Math.exp(logTerm - scale);
    } else {
      double raised = logTerm + 8;
      sum = sum * Math.exp(scale - raised) + Math.exp(logTerm - raised);
      scale = raised;
    }
  }

  /** {@return the logarithm of the sum; negative infinity if it is empty} */
  public double log() {
    return scale == Double.NEGATIVE_INFINITY ? scale : scale + Math.log(sum);
  }
}
