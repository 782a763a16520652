/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

/**
 * Nodes of the trapezoid rule for the tilted law of the privacy loss of a {@link MixtureLoss}.
 *
 * <p>Since \(E_P[e^{-L}] = 1\), \(M(c) - 1 = E_P[G], G = e^{cL} - 1 + c (e^{-L} - 1) \ge 0\): a sum
 * of non-negative terms, so K(c) = log M(c) keeps its digits where M is near 1.
 */
final class TiltedGrid {

  /** Nodes whose tilted weight is below e^-48 of the largest are dropped. */
  private static final double NEGLIGIBLE = -48;

  private static final double SERIES_LIMIT = 0.05;

  /** Privacy losses at the kept nodes, monotone, relative to the tilted mean. */
  final double[] centredLoss;

  /** Tilted probabilities of the kept nodes; their sum is 1. */
  final double[] probability;

  /** Tilted density of the loss at the kept nodes. */
  final double[] lossDensity;

  /** Tilted probability of the outermost nodes: what the sum misses by ending there. */
  final double edgeProbability;

  private final LossPair.Cumulant cumulant;

  TiltedGrid(MixtureLoss pair, double c, double spacing) {
    long first = (long) Math.floor(pair.leftEnd(c) / spacing);
    long last = (long) Math.floor(pair.rightEnd(c) / spacing);
    if (last - first > 3_000_000) {
      throw new NumericalLimitException("sampled Gaussian needs too many nodes: " + pair);
    }
    int n = (int) (last - first + 1);
    double[] loss = new double[n];
    double[] logWeight = new double[n];
    double variance = pair.sigma() * pair.sigma();
    LogSum excess = new LogSum();
    double highest = Double.NEGATIVE_INFINITY;
    for (int j = 0; j < n; j++) {
      double x = (first + j) * spacing;
      double logRatio = pair.logRatio(x);
      double logP = pair.logP(logRatio) - x * x / (2 * variance);
      double l = pair.loss(logRatio);
      loss[j] = l;
      logWeight[j] = logP + c * l;
      highest = Math.max(highest, logWeight[j]);
      excess.add(logP + logG(c, l));
    }
    int from = 0;
    while (logWeight[from] < highest + NEGLIGIBLE) {
      from++;
    }
    int to = n;
    while (logWeight[to - 1] < highest + NEGLIGIBLE) {
      to--;
    }
    int kept = to - from;
    centredLoss = new double[kept];
    probability = new double[kept];
    lossDensity = new double[kept];
    double total = 0;
    double mean = 0;
    for (int j = 0; j < kept; j++) {
      double w = Math.exp(logWeight[from + j] - highest);
      probability[j] = w;
      total += w;
      mean += w * loss[from + j];
    }
    edgeProbability =
        (Math.exp(logWeight[0] - highest) + Math.exp(logWeight[n - 1] - highest)) / total;
    mean /= total;
    double second = 0;
    double drift = 0;
    for (int j = 0; j < kept; j++) {
      double d = loss[from + j] - mean;
      centredLoss[j] = d;
      probability[j] /= total;
      drift += probability[j] * d;
      second += probability[j] * d * d;
      double x = (first + from + j) * spacing;
      // |dL/dx| is the posterior weight of the shifted component over s^2.
      double u = (2 * x - 1) / (2 * variance);
      double posterior = 1 / (1 + (1 - pair.sampleRate()) / pair.sampleRate() * Math.exp(-u));
      lossDensity[j] = probability[j] / spacing * variance / posterior;
    }
    double logExcess = excess.log() + Math.log(spacing) - 0.5 * Math.log(2 * Math.PI * variance);
    double k =
        logExcess > 0
            ? logExcess + Math.log1p(Math.exp(-logExcess))
            : Math.log1p(Math.exp(logExcess));
    cumulant = new LossPair.Cumulant(k, mean + drift, second - drift * drift);
    for (int j = 0; j < kept; j++) {
      centredLoss[j] -= drift;
    }
  }

  LossPair.Cumulant cumulant() {
    return cumulant;
  }

  private static double logG(double c, double loss) {
    double cl = c * loss;
    if (cl > 40) {
      return cl;
    }
    if (loss < -600) {
      return Math.log(c) - loss;
    }
    if (Math.abs(loss) < SERIES_LIMIT && Math.abs(cl) < SERIES_LIMIT) {
      double power = cl * cl / 2;
      double inverse = loss * loss / 2;
      double sum = power + c * inverse;
      for (int k = 3; k <= 14; k++) {
        power *= cl / k;
        inverse *= -loss / k;
        sum += power + c * inverse;
      }
      return Math.log(sum);
    }
    return Math.log(Math.expm1(cl) + c * Math.expm1(-loss));
  }
}
