/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.plan;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.DoubleUnaryOperator;
import org.jspecify.annotations.Nullable;

/** The factors of a {@link StepSchedule}, which is asked once for each. */
final class StepFactors {
  // The factors of this many steps take eight megabytes.
  private static final long MAX_STEPS = 1_000_000;
  // Steps of the grid of noise factors between a factor and its double.
  private static final double NOISE_GRID = 64;

  private final double @Nullable [] factors;

  private StepFactors(double @Nullable [] factors) {
    this.factors = factors;
  }

  /** Returns the factors of clip norms; 1 at every step without a schedule. */
  static StepFactors ofClipNorm(@Nullable StepSchedule schedule, long steps) {
    return of("clipNormSchedule", schedule, steps, DoubleUnaryOperator.identity());
  }

  /**
   * Returns the factors of noise multipliers, rounded up to powers of \(2^{1/64}\) so that a smooth
   * schedule has few different events; 1 at every step without a schedule.
   */
  static StepFactors ofNoise(@Nullable StepSchedule schedule, long steps) {
    return of("noiseSchedule", schedule, steps, StepFactors::onNoiseGrid);
  }

  private static double onNoiseGrid(double factor) {
    double steps = Math.log(factor) / Math.log(2) * NOISE_GRID;
    // A power of 2^(1/64) may come out above itself by rounding.
    return Math.pow(2, Math.ceil(steps - 1e-9) / NOISE_GRID);
  }

  private static StepFactors of(
      String name, @Nullable StepSchedule schedule, long steps, DoubleUnaryOperator rounding) {
    if (schedule == null) {
      return new StepFactors(null);
    }
    if (steps > MAX_STEPS) {
      throw new IllegalArgumentException(
          "steps must be <= " + MAX_STEPS + " with a " + name + ", got " + steps);
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

  /** Returns a step's factor; for a step after the last, which no ledger admits, the last one's. */
  double at(long step) {
    return factors == null ? 1 : factors[(int) Math.min(step, factors.length - 1)];
  }

  /** Returns each distinct factor with the number of steps that have it. */
  Map<Double, Long> counts(long steps) {
    if (factors == null) {
      return Map.of(1.0, steps);
    }
    Map<Double, Long> counts = new LinkedHashMap<>();
    Arrays.stream(factors).forEach(factor -> counts.merge(factor, 1L, Long::sum));
    return counts;
  }

  /** Returns whether there is no schedule. */
  boolean isConstant() {
    return factors == null;
  }
}
