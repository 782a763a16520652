/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.plan;

import ai.fastdp.accounting.event.ComposedEvent;
import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.PoissonSampledEvent;
import ai.fastdp.accounting.event.SelfComposedEvent;
import ai.fastdp.clipping.QuantileQuery;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What a run releases, as a function of the noise multiplier: calibration varies it, and the plan
 * fixes it.
 *
 * @param sampleRate the probability q with which every sample enters a batch
 * @param steps the number of logical steps T
 * @param noise the distribution of the noise
 * @param query the quantile query that comes with every gradient; empty unless clipping is adaptive
 * @param noiseFactors multiply the noise multiplier, step by step
 */
record RunEvents(
    double sampleRate,
    long steps,
    NoiseDistribution noise,
    Optional<QuantileQuery> query,
    StepFactors noiseFactors) {

  /** Returns the noise multiplier of a step of a run with this noise multiplier. */
  double noiseMultiplier(double ofRun, long step) {
    return ofRun * noiseFactors.at(step);
  }

  /** Returns the distinct noise multipliers of a run's steps. */
  List<Double> noiseMultipliers(double ofRun) {
    return noiseFactors.counts(steps).keySet().stream().map(factor -> ofRun * factor).toList();
  }

  /** Returns what a step with this noise multiplier releases. */
  DpEvent step(double noiseMultiplier) {
    DpEvent gradient = noise.gradient(noiseMultiplier);
    return new PoissonSampledEvent(
        sampleRate,
        query
            .<DpEvent>map(
                asked -> new ComposedEvent(List.of(gradient, noise.count(asked.countNoise()))))
            .orElse(gradient));
  }

  /** Returns what all steps of a run with this noise multiplier release. */
  DpEvent run(double noiseMultiplier) {
    List<DpEvent> parts = new ArrayList<>();
    noiseFactors
        .counts(steps)
        .forEach(
            (factor, count) ->
                parts.add(new SelfComposedEvent(step(noiseMultiplier * factor), count)));
    return parts.size() == 1 ? parts.get(0) : new ComposedEvent(parts);
  }

  /** Returns what the quantile queries of all steps would release without the gradients. */
  DpEvent queries(QuantileQuery asked) {
    return new SelfComposedEvent(
        new PoissonSampledEvent(sampleRate, noise.count(asked.countNoise())), steps);
  }
}
