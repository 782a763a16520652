/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.loss;

import java.util.Arrays;

/** The tilted loss of one step, by quadrature on a grid as fine as the frequency needs. */
public final class TiltedQuadrature implements TiltedLoss {

  /** The recurrence that turns the phases restarts from exact sines and cosines this often. */
  private static final int RESTART = 64;

  private static final int LEVELS = 60;

  private static final int MAX_WINDOWS = 4000;

  private final QuadraturePair pair;
  private final double c;
  private final TiltedGrid base;
  private TiltedGrid fine;
  private double fineLimit;

  // Prefix sums over the base grid, in order of increasing loss.
  private final double[] loss;
  private final double[] mass;
  private final double[] first;
  private final double[] second;
  private final double fourth;

  // For each level: bound of the mass of the density's part above it, variation of the part below.
  private final double[] massAbove = new double[LEVELS];
  private final double[] variationBelow = new double[LEVELS];

  TiltedQuadrature(QuadraturePair pair, double c) {
    this.pair = pair;
    this.c = c;
    base = new TiltedGrid(pair, c, pair.spacing(c, 0) / 2);
    fine = base;
    fineLimit = 0;
    int n = base.probability.length;
    loss = base.centredLoss;
    mass = new double[n + 1];
    first = new double[n + 1];
    second = new double[n + 1];
    double moment = 0;
    for (int i = 0; i < n; i++) {
      double l = loss[i];
      double p = base.probability[i];
      mass[i + 1] = mass[i] + p;
      first[i + 1] = first[i] + p * l;
      second[i + 1] = second[i] + p * l * l;
      moment += p * l * l * l * l;
    }
    fourth = moment;
    levels(base.lossDensity);
  }

  private void levels(double[] density) {
    double top = Arrays.stream(density).filter(Double::isFinite).max().orElse(0);
    int n = density.length;
    for (int t = 0; t < LEVELS; t++) {
      double level = top * Math.pow(0.6, t);
      double above = 0;
      double below = 0;
      double variation = 0;
      double last = 0;
      for (int i = 0; i < n; i++) {
        double p = mass[i + 1] - mass[i];
        if (Double.isInfinite(density[i])) { // an atom
          above += p;
          continue;
        }
        double clipped = Math.min(density[i], level);
        double share = clipped / density[i];
        above += p * (1 - share);
        below += p * share;
        variation += Math.abs(clipped - last);
        last = clipped;
      }
      // Either is good to 2 %, and the smaller one has the more digits.
      massAbove[t] = Math.min(1.02 * above, 1 - 0.98 * below);
      variationBelow[t] = variation + last;
    }
  }

  @Override
  public DominatingPair.Cumulant cumulant() {
    return base.cumulant();
  }

  @Override
  public double edgeError() {
    return base.edgeProbability;
  }

  @Override
  public double costAt(double s) {
    return base.probability.length * pair.spacing(c, 0) / (2 * pair.spacing(c, s));
  }

  @Override
  public void addLogPhi(double step, int from, int to, double count, double[] re, double[] im) {
    int done = from;
    while (done < to) {
      double reach = Math.max(fineLimit, Math.min(Math.max(2 * done, 64), to - 1) * step);
      if (fineLimit < done * step || fineLimit == 0) {
        fine = new TiltedGrid(pair, c, pair.spacing(c, reach));
        fineLimit = reach;
      }
      int end = (int) Math.min(to, Math.floor(fineLimit / step) + 1);
      addBlock(step, done, Math.max(end, done + 1), count, re, im);
      done = Math.max(end, done + 1);
    }
  }

  /**
   * phi - 1 = sum p (-2 sin^2(a/2) + i sin a), which keeps its digits for small a = s (L - mean).
   */
  private void addBlock(double step, int from, int to, double count, double[] re, double[] im) {
    double[] p = fine.probability;
    double[] l = fine.centredLoss;
    int n = p.length;
    double[] sine = new double[n];
    double[] cosine = new double[n];
    double[] turnSine = new double[n];
    double[] turnCosine = new double[n];
    for (int j = 0; j < n; j++) {
      double half = step * l[j] / 2;
      turnSine[j] = Math.sin(half);
      turnCosine[j] = Math.cos(half);
    }
    for (int k = from; k < to; k++) {
      if ((k - from) % RESTART == 0) {
        for (int j = 0; j < n; j++) {
          double half = k * step * l[j] / 2;
          sine[j] = Math.sin(half);
          cosine[j] = Math.cos(half);
        }
      }
      double a = 0;
      double b = 0;
      for (int j = 0; j < n; j++) {
        double s = sine[j];
        double co = cosine[j];
        double ps = p[j] * s;
        a += ps * s;
        b += ps * co;
        sine[j] = s * turnCosine[j] + co * turnSine[j];
        cosine[j] = co * turnCosine[j] - s * turnSine[j];
      }
      double x = -2 * a;
      double y = 2 * b;
      re[k] += count * TiltedLoss.logModulus(x, y);
      im[k] += count * Math.atan2(y, 1 + x);
    }
  }

  @Override
  public double logModulusBound(double lowest, double highest) {
    double bound = 1;
    for (int t = 0; t < LEVELS; t++) {
      double level = massAbove[t] + 1.1 * variationBelow[t] / lowest;
      bound = Math.min(bound, level * level);
    }
    double variance = cumulant().variance();
    double s2 = lowest * lowest;
    // E cos(s D) for D the difference of two independent copies; cos y <= 1 - y^2/2 + y^4/24.
    double taylor = (2 * fourth + 6 * variance * variance) / 24;
    if (highest < Double.POSITIVE_INFINITY) {
      double h2 = highest * highest;
      // A parabola in s^2 that opens upwards is largest at an end of the range.
      double atLowest = 1 - s2 * variance + s2 * s2 * taylor;
      double atHighest = 1 - h2 * variance + h2 * h2 * taylor;
      bound = Math.min(bound, Math.max(atLowest, atHighest));
      // cos y <= 1 - 2 y^2 / pi^2 for |y| <= pi.
      double spread = widestSpread(Math.PI / highest);
      bound = Math.min(bound, 1 - 0.98 * 4 / (Math.PI * Math.PI) * s2 * spread);
    }
    return bound >= 1 ? 0 : 0.5 * Math.log(Math.max(bound, 1e-300));
  }

  /** The largest P(W)^2 Var(L | W) over windows W of the given width, or over some of them. */
  private double widestSpread(double width) {
    int n = loss.length;
    int stride = Math.max(1, n / MAX_WINDOWS);
    double best = 0;
    int i = 0;
    for (int j = 0; j < n; j += stride) {
      while (loss[j] - loss[i] > width) {
        i += stride;
      }
      double m = mass[j + 1] - mass[i];
      double f = first[j + 1] - first[i];
      double s = second[j + 1] - second[i];
      best = Math.max(best, m * s - f * f);
    }
    return best;
  }
}
