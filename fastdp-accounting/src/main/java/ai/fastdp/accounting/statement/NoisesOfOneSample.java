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
import ai.fastdp.accounting.event.UnsupportedEventException;
import ai.fastdp.accounting.statement.ReleaseSummary.Noise;
import java.util.List;

/**
 * Adds the noises of all releases of one sample to a list.
 *
 * @param noises the list
 */
record NoisesOfOneSample(List<Noise> noises) implements DpEvent.Visitor<List<Noise>> {

  /** More repetitions of a release on one sample are not listed one by one. */
  private static final int MAX_REPETITIONS = 16;

  @Override
  public List<Noise> visit(NoOpEvent event) {
    return noises;
  }

  @Override
  public List<Noise> visit(GaussianEvent event) {
    return add("Gaussian", event.noiseMultiplier());
  }

  @Override
  public List<Noise> visit(DiscreteGaussianEvent event) {
    return add("discrete Gaussian", event.noiseMultiplier());
  }

  @Override
  public List<Noise> visit(LaplaceEvent event) {
    return add("Laplace", event.noiseMultiplier());
  }

  @Override
  public List<Noise> visit(QuantileQueryEvent event) {
    return add("Gaussian (quantile query)", event.asGaussian().noiseMultiplier());
  }

  @Override
  public List<Noise> visit(ComposedEvent event) {
    event.events().forEach(part -> part.accept(this));
    return noises;
  }

  @Override
  public List<Noise> visit(SelfComposedEvent event) {
    if (event.count() > MAX_REPETITIONS) {
      throw refusal(event);
    }
    for (long i = 0; i < event.count(); i++) {
      event.event().accept(this);
    }
    return noises;
  }

  @Override
  public List<Noise> visit(PoissonSampledEvent event) {
    throw refusal(event);
  }

  @Override
  public List<Noise> visit(SampledWithoutReplacementEvent event) {
    throw refusal(event);
  }

  private List<Noise> add(String mechanism, double noiseMultiplier) {
    noises.add(new Noise(mechanism, noiseMultiplier));
    return noises;
  }

  private static UnsupportedEventException refusal(DpEvent event) {
    return new UnsupportedEventException(
        "event of a statement must be a known mechanism on one sample, got " + event);
  }
}
