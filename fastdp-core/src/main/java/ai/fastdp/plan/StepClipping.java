/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.plan;

import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.clipping.ClippingStyle;
import ai.fastdp.clipping.QuantileQuery;
import java.util.stream.DoubleStream;

/**
 * How a run's steps clip: by which function, in which groups, and to which norms.
 *
 * @param function maps norms to factors
 * @param style groups the parameters
 * @param clipNorm the declared clip norm R, before a schedule's factor
 * @param factors the factors of the clip norm schedule; 1 without one
 */
record StepClipping(
    ClippingFunction function, ClippingStyle style, double clipNorm, StepFactors factors) {
  // Adaptive clipping moves within these multiples of the declared clip norm.
  private static final double MIN_ADAPTED = 1e-6;
  private static final double MAX_ADAPTED = 1e6;

  /** Returns the state before a step, as far as it is known before the run. */
  ClippingState scheduled(long step) {
    return new ClippingState(clipNorm * factors.at(step));
  }

  /** Returns the state after a step whose quantile query got this noisy answer. */
  ClippingState adapted(ClippingState before, QuantileQuery query, double noisyFraction) {
    double next = query.next(before.clipNorm(), noisyFraction);
    return new ClippingState(
        Math.max(clipNorm * MIN_ADAPTED, Math.min(clipNorm * MAX_ADAPTED, next)));
  }

  /** Returns the distinct clip norms of the steps, or the ends of their range if they adapt. */
  DoubleStream clipNorms(long steps) {
    return function.quantileQuery().isPresent()
        ? DoubleStream.of(clipNorm * MIN_ADAPTED, clipNorm * MAX_ADAPTED)
        : factors.counts(steps).keySet().stream().mapToDouble(factor -> clipNorm * factor);
  }
}
