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
import java.util.List;

/**
 * Releases of one sample, combined to one.
 *
 * @param precision the sum of \(\sigma_i^{-2}\) over the releases; 0 if nothing is released
 * @param isDiscrete whether the noise of any of them is discrete Gaussian
 */
record OneSample(double precision, boolean isDiscrete) {

  static final DpEvent.Visitor<OneSample> VISITOR = new Combining();

  private static final OneSample NOTHING = new OneSample(0, false);

  private static OneSample gaussian(double noiseMultiplier) {
    return new OneSample(precision(noiseMultiplier), false);
  }

  /** At least the smallest normal number, so that very much noise does not look like no release. */
  private static double precision(double noiseMultiplier) {
    return Math.max(Double.MIN_NORMAL, 1 / (noiseMultiplier * noiseMultiplier));
  }

  /** Combines the releases that an event consists of, and refuses those that cannot be. */
  private static final class Combining implements DpEvent.Visitor<OneSample> {

    @Override
    public OneSample visit(NoOpEvent event) {
      return NOTHING;
    }

    @Override
    public OneSample visit(GaussianEvent event) {
      return gaussian(event.noiseMultiplier());
    }

    @Override
    public OneSample visit(DiscreteGaussianEvent event) {
      return new OneSample(precision(event.noiseMultiplier()), true);
    }

    @Override
    public OneSample visit(QuantileQueryEvent event) {
      return visit(event.asGaussian());
    }

    @Override
    public OneSample visit(SelfComposedEvent event) {
      if (event.count() == 0) {
        return NOTHING;
      }
      OneSample once = event.event().accept(this);
      return new OneSample(event.count() * once.precision(), once.isDiscrete());
    }

    @Override
    public OneSample visit(ComposedEvent event) {
      List<OneSample> parts = event.events().stream().map(part -> part.accept(this)).toList();
      return new OneSample(
          parts.stream().mapToDouble(OneSample::precision).sum(),
          parts.stream().anyMatch(OneSample::isDiscrete));
    }

    @Override
    public OneSample visit(LaplaceEvent event) {
      throw refusal(event);
    }

    @Override
    public OneSample visit(PoissonSampledEvent event) {
      throw refusal(event);
    }

    @Override
    public OneSample visit(SampledWithoutReplacementEvent event) {
      throw refusal(event);
    }

    private static UnsupportedEventException refusal(DpEvent event) {
      return new UnsupportedEventException(
          "event of a sample must consist of Gaussian events, got "
              + event
              + "; compose such events outside of the sampling");
    }
  }
}
