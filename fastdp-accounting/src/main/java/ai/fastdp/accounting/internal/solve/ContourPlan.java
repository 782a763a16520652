/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.solve;

import ai.fastdp.accounting.internal.loss.DominatingPair;
import ai.fastdp.accounting.internal.loss.QuadraturePair;
import ai.fastdp.accounting.internal.loss.TiltedLoss;
import ai.fastdp.accounting.internal.numeric.NumericalLimitException;
import java.util.ArrayList;
import java.util.List;

/** The plan of a {@link ContourIntegral}, with its cost and its error bounds. */
final class ContourPlan {

  /** With more node evaluations, another method should answer. */
  private static final double COST_LIMIT = 3e9;

  private static final double GRID_ERROR = 1e-13;

  private final LossComposition losses;
  private final double c;
  private final DominatingPair.Cumulant cumulant;
  private final List<TiltedLoss> tilted = new ArrayList<>();
  private final double period;
  private int nodes;
  private double truncation;
  private double cost;
  private double relativeError;
  private double edgeError;
  private final double logLoss;

  /**
   * Plans for the neighbourhood of one point of the curve.
   *
   * @param tolerance relative error of delta that each of the error terms may have
   */
  ContourPlan(LossComposition losses, double c, double epsilon, double logDelta, double tolerance) {
    this.losses = losses;
    this.c = c;
    double value = 0;
    double mean = 0;
    double variance = 0;
    for (LossComposition.Part part : losses.parts()) {
      TiltedLoss one = part.pair().tilt(c);
      tilted.add(one);
      value += part.count() * one.cumulant().value();
      mean += part.count() * one.cumulant().mean();
      variance += part.count() * one.cumulant().variance();
    }
    cumulant = new DominatingPair.Cumulant(value, mean, variance);
    relativeError = 100 * 0x1p-52 + GRID_ERROR * (Math.abs(value) + c * Math.abs(mean));
    for (int i = 0; i < tilted.size(); i++) {
      edgeError += 4 * losses.parts().get(i).count() * tilted.get(i).edgeError();
    }
    relativeError += edgeError + 4 * QuadraturePair.QUADRATURE_ERROR * losses.steps();
    logLoss =
        value
            - c * epsilon
            - Math.log(c)
            - Math.log1p(c)
            - 0.5 * Math.log1p(variance * c * c)
            - logDelta;
    double safety = -Math.log(tolerance);
    double below = (safety - logDelta) / c;
    double above =
        Chernoff.smallest(
            c, far -> (Chernoff.logDelta(losses, c + far, epsilon) - logDelta + safety) / far);
    period = 1.05 * Math.max(below, Math.max(above, 1e-9));
    planNodes(epsilon, logDelta, variance, tolerance);
  }

  private void planNodes(double epsilon, double logDelta, double variance, double tolerance) {
    double step = 2 * Math.PI / period;
    double allowed = tolerance * Math.exp(Math.min(700, logDelta - cumulant.value() + c * epsilon));
    List<Double> ends = new ArrayList<>();
    List<Double> tails = new ArrayList<>();
    double s = 0.3 / Math.sqrt(variance);
    double rest = Double.POSITIVE_INFINITY;
    for (int i = 0; i < 400; i++) {
      ends.add(s);
      rest = Math.exp(logModulusBound(s, Double.POSITIVE_INFINITY)) / s / Math.PI;
      if (rest <= 0.2 * allowed) {
        break;
      }
      if (300 * s / step > 100 * COST_LIMIT) {
        break; // far too many frequencies
      }
      double next = s * 1.12;
      tails.add(
          Math.exp(logModulusBound(s, next))
              * Math.min(1 / s - 1 / next, (next - s) / (c * (c + 1)))
              / Math.PI);
      s = next;
    }
    int last = ends.size() - 1;
    double tail = rest;
    while (last > 0 && tail + tails.get(last - 1) <= allowed) {
      tail += tails.get(last - 1);
      last--;
    }
    double reach = ends.get(last);
    double first =
        step / Math.PI * Math.exp(logModulusBound(reach, reach * 1.12)) / (reach * reach);
    truncation = rest <= 0.2 * allowed ? tail + first : Double.POSITIVE_INFINITY;
    double count = Math.ceil(reach / step) + 1;
    nodes = (int) Math.min(count, Integer.MAX_VALUE / 8.0);
    cost = Double.isInfinite(truncation) ? Double.POSITIVE_INFINITY : costOf(count, step);
  }

  private double costOf(double count, double step) {
    double all = 0;
    double from = 0;
    for (double to = Math.min(count, 64); from < count; to = Math.min(count, to * 2)) {
      // Every frequency takes part in some fifty evaluations at different epsilon.
      all += (to - from) * 300;
      for (TiltedLoss one : tilted) {
        // Each doubling of the reach needs another grid, whose nodes cost more than phases.
        all += (300 + 1.5 * (to - from)) * one.costAt(to * step);
      }
      from = to;
    }
    return all;
  }

  private double logModulusBound(double lowest, double highest) {
    double sum = 0;
    for (int i = 0; i < tilted.size(); i++) {
      sum += losses.parts().get(i).count() * tilted.get(i).logModulusBound(lowest, highest);
    }
    return sum;
  }

  /** {@return about the relative error of delta from rounding and quadrature} */
  double precision() {
    return relativeError * Math.exp(Math.max(0, logLoss));
  }

  /** {@return the number of elementary operations, about nanoseconds} */
  double cost() {
    return cost;
  }

  ContourIntegral run() {
    if (!(cost <= COST_LIMIT)) {
      throw new NumericalLimitException("contour integral needs " + cost + " operations");
    }
    return new ContourIntegral(this);
  }

  LossComposition losses() {
    return losses;
  }

  double c() {
    return c;
  }

  DominatingPair.Cumulant cumulant() {
    return cumulant;
  }

  List<TiltedLoss> tilted() {
    return tilted;
  }

  double period() {
    return period;
  }

  int nodes() {
    return nodes;
  }

  double truncation() {
    return truncation;
  }

  double relativeError() {
    return relativeError;
  }

  double edgeError() {
    return edgeError;
  }
}
