/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.DoubleUnaryOperator;
import org.jspecify.annotations.Nullable;

/** The factors of a {@link StepSchedule}, asked for once and kept. */
final class StepFactors {
  // Eight megabytes.
  private static final long MOST_STEPS = 1_000_000;

  private final double @Nullable [] factors;

  private StepFactors(double @Nullable [] factors) {
    this.factors = factors;
  }

  /** Factor 1 at every step. */
  static StepFactors constant() {
    return new StepFactors(null);
  }

  static StepFactors of(
      String name, @Nullable StepSchedule schedule, long steps, DoubleUnaryOperator rounding) {
    if (schedule == null) {
      return constant();
    }
    if (steps > MOST_STEPS) {
      throw new IllegalArgumentException(
          "steps must be <= " + MOST_STEPS + " with a " + name + ", got " + steps);
    }
    double[] factors = new double[Math.toIntExact(steps)];
    for (int t = 0; t < factors.length; t++) {
      double factor = schedule.factor(t);
      if (!(factor > 0) || factor == Double.POSITIVE_INFINITY) {
        throw new IllegalArgumentException(
            name + " must be finite and > 0 at every step, got " + factor + " at step " + t);
      }
      factors[t] = rounding.applyAsDouble(factor);
    }
    return new StepFactors(factors);
  }

  /** The factor of a step; of steps after the last, which no ledger admits, the last one's. */
  double at(long step) {
    return factors == null ? 1 : factors[(int) Math.min(step, factors.length - 1)];
  }

  /** How many of the steps have each factor. */
  Map<Double, Long> counts(long steps) {
    if (factors == null) {
      return Map.of(1.0, steps);
    }
    Map<Double, Long> counts = new LinkedHashMap<>();
    Arrays.stream(factors).forEach(factor -> counts.merge(factor, 1L, Long::sum));
    return counts;
  }

  boolean isConstant() {
    return factors == null;
  }
}
