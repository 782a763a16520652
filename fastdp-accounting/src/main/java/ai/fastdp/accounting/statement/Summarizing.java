/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.statement;

import ai.fastdp.accounting.event.ComposedEvent;
import ai.fastdp.accounting.event.DiscreteGaussianEvent;
import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.LaplaceEvent;
import ai.fastdp.accounting.event.NoOpEvent;
import ai.fastdp.accounting.event.PoissonSampledEvent;
import ai.fastdp.accounting.event.QuantileQueryEvent;
import ai.fastdp.accounting.event.SampledWithoutReplacementEvent;
import ai.fastdp.accounting.event.SelfComposedEvent;
import ai.fastdp.accounting.statement.ReleaseSummary.Sampling;
import java.util.ArrayList;
import java.util.List;

/**
 * Adds summaries of the releases of an event to a list.
 *
 * @param steps how often the event happens, at least 1
 * @param summaries the list
 */
record Summarizing(long steps, List<ReleaseSummary> summaries)
    implements DpEvent.Visitor<List<ReleaseSummary>> {

  /** Adds the summaries of an event; one that never happens may be of any kind. */
  static List<ReleaseSummary> add(DpEvent event, long steps, List<ReleaseSummary> summaries) {
    return steps == 0 ? summaries : event.accept(new Summarizing(steps, summaries));
  }

  @Override
  public List<ReleaseSummary> visit(NoOpEvent event) {
    return summaries;
  }

  @Override
  public List<ReleaseSummary> visit(SelfComposedEvent event) {
    return add(event.event(), Math.multiplyExact(steps, event.count()), summaries);
  }

  @Override
  public List<ReleaseSummary> visit(ComposedEvent event) {
    event.events().forEach(part -> part.accept(this));
    return summaries;
  }

  @Override
  public List<ReleaseSummary> visit(PoissonSampledEvent event) {
    return event.sampleRate() < 1
        ? add(Sampling.POISSON, event.sampleRate(), event.event())
        : unsampled(event.event());
  }

  @Override
  public List<ReleaseSummary> visit(SampledWithoutReplacementEvent event) {
    return event.batchSize() < event.datasetSize()
        ? add(Sampling.FIXED, event.sampleRate(), event.event())
        : unsampled(event.event());
  }

  @Override
  public List<ReleaseSummary> visit(GaussianEvent event) {
    return unsampled(event);
  }

  @Override
  public List<ReleaseSummary> visit(DiscreteGaussianEvent event) {
    return unsampled(event);
  }

  @Override
  public List<ReleaseSummary> visit(LaplaceEvent event) {
    return unsampled(event);
  }

  @Override
  public List<ReleaseSummary> visit(QuantileQueryEvent event) {
    return unsampled(event);
  }

  private List<ReleaseSummary> unsampled(DpEvent event) {
    return add(Sampling.NONE, 1, event);
  }

  private List<ReleaseSummary> add(Sampling sampling, double rate, DpEvent event) {
    NoisesOfOneSample noises = new NoisesOfOneSample(new ArrayList<>());
    summaries.add(new ReleaseSummary(steps, sampling, rate, event.accept(noises)));
    return summaries;
  }
}
