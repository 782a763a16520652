/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.accountant;

import ai.fastdp.accounting.NormalLogTail;
import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.internal.mechanism.FixedSizeGaussian;
import ai.fastdp.accounting.internal.mechanism.LaplaceRelease;
import ai.fastdp.accounting.internal.mechanism.Mechanism;
import ai.fastdp.accounting.internal.mechanism.SampledGaussian;
import java.util.ArrayList;
import java.util.List;

/**
 * A lower bound of epsilon from a test anybody could run: count in how many of T steps an output is
 * beyond a threshold, and ask whether there are k or more.
 *
 * <p>Under P the count is Bin(T, p), under Q Bin(T, p'), and delta(epsilon) &gt;= P(N &gt;= k) -
 * e^epsilon Q(N &gt;= k). The binomial tails are bounded by relative entropies (Cover and Thomas,
 * Elements of Information Theory, 11.1 and 11.4). Nothing of the accountants takes part but the
 * normal distribution function.
 */
final class CountingBound {

  private CountingBound() {}

  /** What happens in one step beyond a threshold, in logarithms, under P and under Q. */
  private record Event(double logP, double logQ) {}

  /** A number that epsilon is not below, for {@code steps} repetitions of one mechanism. */
  static double epsilon(
      Mechanism mechanism, NeighboringRelation relation, long steps, double delta) {
    double best = 0;
    for (Event event : events(mechanism, relation)) {
      best = Math.max(best, epsilon(event, steps, delta));
    }
    return best * (1 - 1e-9);
  }

  private static List<Event> events(Mechanism mechanism, NeighboringRelation relation) {
    List<Event> events = new ArrayList<>();
    boolean replaced = relation == NeighboringRelation.REPLACE_ONE;
    if (mechanism instanceof LaplaceRelease laplace) {
      double t = (replaced ? 2 : 1) / laplace.noiseMultiplier();
      events.add(new Event(Math.log(0.5), Math.log(0.5) - t));
      return events;
    }
    double q;
    double s;
    boolean opposite = false;
    if (mechanism instanceof SampledGaussian sampled) {
      q = sampled.sampleRate();
      s = sampled.noiseMultiplier();
      opposite = replaced;
    } else if (mechanism instanceof FixedSizeGaussian batch) {
      q = batch.sampleRate();
      s = batch.noiseMultiplier() / 2;
    } else {
      throw new IllegalArgumentException("mechanism must be known here, got " + mechanism);
    }
    List<Double> thresholds = new ArrayList<>();
    for (double z = -4; z <= 4; z += 0.5) {
      thresholds.add(1 + z * s);
      thresholds.add(z * s);
    }
    double even = 0.5 - s * s * Math.log(q);
    for (double shift : new double[] {-3, -1, 0, 1, 3}) {
      thresholds.add(even + shift * s * s);
    }
    for (double x : thresholds) {
      if (mechanism instanceof FixedSizeGaussian && x < 0.5) {
        continue; // there the pair has an atom
      }
      double base = NormalLogTail.above(x / s);
      double mixed = mix(q, base, NormalLogTail.above((x - 1) / s));
      events.add(
          new Event(mixed, opposite ? mix(q, base, NormalLogTail.above((x + 1) / s)) : base));
      if (!opposite && mechanism instanceof SampledGaussian) {
        double below = NormalLogTail.above(-x / s);
        events.add(new Event(below, mix(q, below, NormalLogTail.above(-(x - 1) / s))));
      }
    }
    return events;
  }

  private static double mix(double q, double logBase, double logShifted) {
    double a = Math.log1p(-q) + logBase;
    double b = Math.log(q) + logShifted;
    double high = Math.max(a, b);
    return high == Double.NEGATIVE_INFINITY
        ? high
        : high + Math.log1p(Math.exp(Math.min(a, b) - high));
  }

  private static double epsilon(Event event, long steps, double delta) {
    double p = Math.exp(event.logP());
    if (!(event.logP() > event.logQ()) || !(p < 1)) {
      return 0;
    }
    double mean = steps * p;
    double deviation = Math.sqrt(mean * (1 - p));
    double best = 0;
    for (double z = -8; z <= 8; z += 0.5) {
      best = Math.max(best, epsilon(event, steps, delta, Math.round(mean + z * deviation)));
    }
    for (long k : new long[] {1, 2, 3, 5, 10, 30, steps}) {
      best = Math.max(best, epsilon(event, steps, delta, k));
    }
    return best;
  }

  private static double epsilon(Event event, long steps, double delta, long k) {
    if (k < 1 || k > steps || !(k > steps * Math.exp(event.logQ()))) {
      return 0;
    }
    double atLeast = atLeast(event.logP(), steps, k);
    if (!(atLeast * (1 - 1e-6) > delta)) {
      return 0;
    }
    double logQ =
        k == 1 && event.logQ() > -700
            ? Math.log(-Math.expm1(steps * Math.log1p(-Math.exp(event.logQ()))))
            : -entropy(steps, k, event.logQ());
    return Math.log(atLeast * (1 - 1e-6) - delta) - logQ;
  }

  /** A lower bound of P(N &gt;= k). */
  private static double atLeast(double logP, long steps, long k) {
    double p = Math.exp(logP);
    if (k == 1) {
      return -Math.expm1(steps * Math.log1p(-p));
    }
    if (k == steps) {
      return Math.exp(steps * logP);
    }
    double entropy = entropy(steps, k, logP);
    double share = (double) k / steps;
    double exactly = Math.exp(-entropy * (1 + 1e-9) - 1e-6) / Math.sqrt(8 * k * (1 - share));
    return share < p ? Math.max(exactly, -Math.expm1(-entropy)) : exactly;
  }

  /** T times the relative entropy of k/T to e^{logP}, less what rounding may have added. */
  private static double entropy(long steps, long k, double logP) {
    double share = (double) k / steps;
    double first = k * (Math.log(share) - logP);
    double second =
        k == steps
            ? 0
            : (steps - k) * (Math.log1p(-share) - Math.log1p(-Math.min(1, Math.exp(logP))));
    return Math.max(0, first + second - 1e-15 * (steps + Math.abs(first) + Math.abs(second) + k));
  }
}
