/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.mechanism;

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

/**
 * Adds the mechanisms that an event consists of to their counts.
 *
 * @param counts where to add them
 * @param count how often the event happens, at least 1
 */
record Flattening(MechanismCounts counts, long count) implements DpEvent.Visitor<MechanismCounts> {

  @Override
  public MechanismCounts visit(NoOpEvent event) {
    return counts;
  }

  @Override
  public MechanismCounts visit(GaussianEvent event) {
    return counts.add(new SampledGaussian(1, event.noiseMultiplier()), count);
  }

  @Override
  public MechanismCounts visit(DiscreteGaussianEvent event) {
    return counts.add(new DiscreteGaussianRelease(1, event.noiseMultiplier()), count);
  }

  @Override
  public MechanismCounts visit(LaplaceEvent event) {
    return counts.add(new LaplaceRelease(event.noiseMultiplier()), count);
  }

  @Override
  public MechanismCounts visit(QuantileQueryEvent event) {
    return visit(event.asGaussian());
  }

  @Override
  public MechanismCounts visit(SelfComposedEvent event) {
    return counts.addAll(event.event(), MechanismCounts.times(count, event.count()));
  }

  @Override
  public MechanismCounts visit(ComposedEvent event) {
    event.events().forEach(part -> part.accept(this));
    return counts;
  }

  @Override
  public MechanismCounts visit(PoissonSampledEvent event) {
    double rate = event.sampleRate();
    if (rate == 0) {
      return counts;
    }
    if (rate == 1) {
      return event.event().accept(this);
    }
    if (event.event() instanceof PoissonSampledEvent inner) {
      return visit(new PoissonSampledEvent(rate * inner.sampleRate(), inner.event()));
    }
    OneSample sample = event.event().accept(OneSample.VISITOR);
    if (sample.precision() == 0) {
      return counts;
    }
    double sigma = 1 / Math.sqrt(sample.precision());
    return counts.add(
        sample.isDiscrete()
            ? new DiscreteGaussianRelease(rate, sigma)
            : new SampledGaussian(rate, sigma),
        count);
  }

  @Override
  public MechanismCounts visit(SampledWithoutReplacementEvent event) {
    if (event.batchSize() == 0) {
      return counts;
    }
    OneSample sample = event.event().accept(OneSample.VISITOR);
    if (sample.isDiscrete()) {
      throw new UnsupportedEventException(
          "event of a batch of fixed size must consist of Gaussian events, got "
              + event.event()
              + "; draw Poisson samples where noise is discrete");
    }
    return sample.precision() == 0
        ? counts
        : counts.add(
            new FixedSizeGaussian(event.sampleRate(), 1 / Math.sqrt(sample.precision())), count);
  }
}
