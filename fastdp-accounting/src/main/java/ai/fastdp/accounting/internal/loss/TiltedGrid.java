/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.loss;

import ai.fastdp.accounting.internal.numeric.LogSum;
import ai.fastdp.accounting.internal.numeric.NumericalLimitException;
import java.util.ArrayList;
import java.util.List;

/**
 * Nodes of the trapezoid rule for the tilted distribution of the privacy loss of a {@link
 * QuadraturePair}.
 *
 * <p>Since \(E_P[e^{-L}] = 1\), \(M(c) - 1 = E_P[G], G = e^{cL} - 1 + c (e^{-L} - 1) \ge 0\): a sum
 * of non-negative terms, so K(c) = log M(c) keeps its digits where M is near 1.
 */
public final class TiltedGrid {

  /**
   * Nodes at the ends of a branch whose tilted weight is below e^-48 of the largest are dropped.
   */
  private static final double NEGLIGIBLE = -48;

  private static final double SERIES_LIMIT = 0.05;

  private static final double MAX_NODES = 300_000;

  /** Privacy losses at the kept nodes, in increasing order, relative to the tilted mean. */
  final double[] centredLoss;

  /** Tilted probabilities of the kept nodes; their sum is 1. */
  final double[] probability;

  /** Tilted density of the loss at the kept nodes; infinite at an atom. */
  final double[] lossDensity;

  /**
   * A bound of the tilted probability that the sum misses by ending where it does.
   *
   * <p>Where P is restricted, the density f may rise up to the cut, steeply compared with the
   * spacing h. Nodes beyond which it rises make a sum that is not below the integral up to the last
   * of them, and from there to the cut it is at most h f(cut), or e^0.1 times that if f, whose log
   * has a curvature of at least -1/s^2, h at most 0.7 s, has its peak between. The other side of
   * the dip before ends at values that are smaller.
   */
  final double edgeProbability;

  private final DominatingPair.Cumulant cumulant;

  TiltedGrid(QuadraturePair pair, double c, double spacing) {
    List<Nodes> parts = new ArrayList<>();
    LogSum excess = new LogSum();
    for (QuadraturePair.Branch branch : pair.branches()) {
      if (!parts.isEmpty() && pair.atom() > 0) {
        parts.add(Nodes.atom(pair.atom()));
      }
      parts.add(Nodes.of(pair, branch, c, spacing, excess));
    }
    double highest = Double.NEGATIVE_INFINITY;
    for (Nodes part : parts) {
      for (double weight : part.logWeight) {
        highest = Math.max(highest, weight);
      }
    }
    int kept = 0;
    for (Nodes part : parts) {
      part.trim(highest + NEGLIGIBLE);
      kept += part.to - part.from;
    }
    double[] loss = new double[kept];
    double[] density = new double[kept];
    double[] weight = new double[kept];
    double total = 0;
    double mean = 0;
    double edges = 0;
    int j = 0;
    for (Nodes part : parts) {
      edges += part.edges(highest);
      for (int i = part.from; i < part.to; i++) {
        double w = Math.exp(part.logWeight[i] - highest);
        loss[j] = part.loss[i];
        weight[j] = w;
        density[j] = w / (spacing * part.slope[i]);
        total += w;
        mean += w * loss[j];
        j++;
      }
    }
    edgeProbability = edges / total;
    mean /= total;
    double second = 0;
    double drift = 0;
    for (j = 0; j < kept; j++) {
      double d = loss[j] - mean;
      loss[j] = d;
      weight[j] /= total;
      density[j] /= total;
      drift += weight[j] * d;
      second += weight[j] * d * d;
    }
    for (j = 0; j < kept; j++) {
      loss[j] -= drift;
    }
    double logExcess = excess.log() + Math.log(spacing);
    double k =
        logExcess > 0
            ? logExcess + Math.log1p(Math.exp(-logExcess))
            : Math.log1p(Math.exp(logExcess));
    cumulant = new DominatingPair.Cumulant(k, mean + drift, second - drift * drift);
    centredLoss = loss;
    probability = weight;
    lossDensity = density;
  }

  DominatingPair.Cumulant cumulant() {
    return cumulant;
  }

  /** An upper bound of the cumulant, up to rounding. */
  double cumulantBound() {
    return cumulant.value() + Math.log1p(edgeProbability);
  }

  /** All nodes of one branch, losses in increasing order. */
  private static final class Nodes {

    final double[] loss;
    final double[] logWeight;
    final double[] slope;

    /** Logs of the weights that nodes at the ends of the branch would have. */
    final double[] logEnds = {Double.NEGATIVE_INFINITY, Double.NEGATIVE_INFINITY};

    int from;
    int to;

    private Nodes(int size) {
      loss = new double[size];
      logWeight = new double[size];
      slope = new double[size];
      to = size;
    }

    static Nodes atom(double mass) {
      Nodes nodes = new Nodes(1);
      nodes.logWeight[0] = Math.log(mass);
      return nodes;
    }

    static Nodes of(
        QuadraturePair pair,
        QuadraturePair.Branch branch,
        double c,
        double spacing,
        LogSum excess) {
      double start = Math.floor(branch.leftEnd(c) / spacing);
      double count = Math.floor(branch.rightEnd(c) / spacing) - start + 1;
      if (!(count >= 1 && count <= MAX_NODES)) {
        throw new NumericalLimitException("step needs too many nodes: " + pair);
      }
      Nodes nodes = new Nodes((int) count);
      double logSpacing = Math.log(spacing);
      QuadraturePair.Node node = new QuadraturePair.Node();
      for (int j = 0; j < nodes.to; j++) {
        branch.at((start + j) * spacing, node);
        nodes.loss[j] = node.loss;
        nodes.logWeight[j] = node.logP + c * node.loss + logSpacing;
        nodes.slope[j] = node.slope;
        excess.add(node.logP + logG(c, node.loss));
      }
      nodes.logEnds[0] = logWeight(branch, branch.leftEnd(c), c, node) + logSpacing;
      nodes.logEnds[1] = logWeight(branch, branch.rightEnd(c), c, node) + logSpacing;
      if (nodes.loss[0] > nodes.loss[nodes.to - 1]) {
        reverse(nodes.loss);
        reverse(nodes.logWeight);
        reverse(nodes.slope);
      }
      return nodes;
    }

    void trim(double leastLogWeight) {
      while (from < to && logWeight[from] < leastLogWeight) {
        from++;
      }
      while (to > from && logWeight[to - 1] < leastLogWeight) {
        to--;
      }
    }

    private static double logWeight(
        QuadraturePair.Branch branch, double v, double c, QuadraturePair.Node node) {
      branch.at(v, node);
      return node.logP + c * node.loss;
    }

    /** Bounds the tilted mass beyond both ends; 0 for an atom. */
    double edges(double highest) {
      double ends = Math.exp(logEnds[0] - highest) + Math.exp(logEnds[1] - highest);
      int n = loss.length;
      return ends == 0
          ? 0
          : 4 * ends + Math.exp(logWeight[0] - highest) + Math.exp(logWeight[n - 1] - highest);
    }

    private static void reverse(double[] values) {
      for (int i = 0, j = values.length - 1; i < j; i++, j--) {
        double kept = values[i];
        values[i] = values[j];
        values[j] = kept;
      }
    }
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
