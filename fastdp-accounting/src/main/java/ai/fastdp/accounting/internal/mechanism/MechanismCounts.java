/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.mechanism;

import ai.fastdp.accounting.event.ComposedEvent;
import ai.fastdp.accounting.event.DiscreteGaussianEvent;
import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.FixedBatchEvent;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.LaplaceEvent;
import ai.fastdp.accounting.event.NoOpEvent;
import ai.fastdp.accounting.event.PoissonSampledEvent;
import ai.fastdp.accounting.event.QuantileQueryEvent;
import ai.fastdp.accounting.event.SelfComposedEvent;
import ai.fastdp.accounting.event.UnsupportedEventException;
import ai.fastdp.accounting.internal.numeric.Require;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * How often each mechanism was run: the normal form of a composition.
 *
 * <p>Nested events are flattened: counts multiply, Poisson sampling of Poisson sampling multiplies
 * the rates, and Gaussian releases of the same sample combine to one with \(\sigma^{-2} = \sum_i
 * \sigma_i^{-2}\), because their joint likelihood ratio depends on the data through one sufficient
 * statistic only. Where some of these releases are discrete Gaussian, the combined one counts as
 * discrete: it has the same bound of its Renyi divergences.
 */
public final class MechanismCounts {

  private final Map<Mechanism, Long> counts;

  public MechanismCounts() {
    counts = new LinkedHashMap<>();
  }

  private MechanismCounts(Map<Mechanism, Long> counts) {
    this.counts = new LinkedHashMap<>(counts);
  }

  /**
   * The normal form of one event.
   *
   * @throws UnsupportedEventException if it has none
   */
  public static MechanismCounts of(DpEvent event, long count) {
    Require.nonNegative("count", count);
    MechanismCounts result = new MechanismCounts();
    result.flatten(event, count);
    return result;
  }

  public MechanismCounts copy() {
    return new MechanismCounts(counts);
  }

  public Map<Mechanism, Long> asMap() {
    return Collections.unmodifiableMap(counts);
  }

  public boolean isEmpty() {
    return counts.isEmpty();
  }

  /** Adds all of {@code other}, or throws and changes nothing. */
  public void addAll(MechanismCounts other) {
    Map<Mechanism, Long> sum = new LinkedHashMap<>(other.counts);
    sum.replaceAll((mechanism, count) -> plus(count, counts.getOrDefault(mechanism, 0L)));
    counts.putAll(sum);
  }

  private void flatten(DpEvent event, long count) {
    if (count == 0 || event instanceof NoOpEvent) {
      return;
    }
    if (event instanceof GaussianEvent gaussian) {
      add(new SampledGaussian(1, gaussian.noiseMultiplier()), count);
    } else if (event instanceof DiscreteGaussianEvent discrete) {
      add(new DiscreteGaussianRelease(1, discrete.noiseMultiplier()), count);
    } else if (event instanceof LaplaceEvent laplace) {
      add(new LaplaceRelease(laplace.noiseMultiplier()), count);
    } else if (event instanceof QuantileQueryEvent query) {
      flatten(query.asGaussian(), count);
    } else if (event instanceof SelfComposedEvent repeated) {
      flatten(repeated.event(), times(count, repeated.count()));
    } else if (event instanceof ComposedEvent composed) {
      composed.events().forEach(part -> flatten(part, count));
    } else if (event instanceof PoissonSampledEvent sampled) {
      flattenSampled(sampled, count);
    } else if (event instanceof FixedBatchEvent batch) {
      flattenBatch(batch, count);
    } else {
      throw new UnsupportedEventException("event must have an accounting rule, got " + event);
    }
  }

  private void flattenSampled(PoissonSampledEvent sampled, long count) {
    double rate = sampled.sampleRate();
    if (rate == 0) {
      return;
    }
    if (rate == 1) {
      flatten(sampled.event(), count);
    } else if (sampled.event() instanceof PoissonSampledEvent inner) {
      flatten(new PoissonSampledEvent(rate * inner.sampleRate(), inner.event()), count);
    } else {
      double precision = precisionOfOneSample(sampled.event());
      if (precision > 0) {
        double sigma = 1 / Math.sqrt(precision);
        add(
            hasDiscreteNoise(sampled.event())
                ? new DiscreteGaussianRelease(rate, sigma)
                : new SampledGaussian(rate, sigma),
            count);
      }
    }
  }

  private void flattenBatch(FixedBatchEvent batch, long count) {
    if (batch.batchSize() == 0) {
      return;
    }
    if (hasDiscreteNoise(batch.event())) {
      throw new UnsupportedEventException(
          "event of a batch of fixed size must consist of Gaussian events, got "
              + batch.event()
              + "; draw Poisson samples where noise is discrete");
    }
    double precision = precisionOfOneSample(batch.event());
    if (precision > 0) {
      add(new FixedBatchGaussian(batch.sampleRate(), 1 / Math.sqrt(precision)), count);
    }
  }

  /** The sum of \(\sigma_i^{-2}\) over the Gaussian releases of one sample. */
  private static double precisionOfOneSample(DpEvent event) {
    if (event instanceof NoOpEvent) {
      return 0;
    }
    if (event instanceof GaussianEvent gaussian) {
      return precision(gaussian.noiseMultiplier());
    }
    if (event instanceof DiscreteGaussianEvent discrete) {
      return precision(discrete.noiseMultiplier());
    }
    if (event instanceof QuantileQueryEvent query) {
      return precisionOfOneSample(query.asGaussian());
    }
    if (event instanceof SelfComposedEvent repeated) {
      return repeated.count() == 0 ? 0 : repeated.count() * precisionOfOneSample(repeated.event());
    }
    if (event instanceof ComposedEvent composed) {
      return composed.events().stream().mapToDouble(MechanismCounts::precisionOfOneSample).sum();
    }
    throw new UnsupportedEventException(
        "event of a sample must consist of Gaussian events, got "
            + event
            + "; compose such events outside of the sampling");
  }

  /** Not below the smallest normal number: so much noise must not look like no release. */
  private static double precision(double noiseMultiplier) {
    return Math.max(Double.MIN_NORMAL, 1 / (noiseMultiplier * noiseMultiplier));
  }

  private static boolean hasDiscreteNoise(DpEvent event) {
    if (event instanceof SelfComposedEvent repeated) {
      return hasDiscreteNoise(repeated.event());
    }
    if (event instanceof ComposedEvent composed) {
      return composed.events().stream().anyMatch(MechanismCounts::hasDiscreteNoise);
    }
    return event instanceof DiscreteGaussianEvent;
  }

  private void add(Mechanism mechanism, long count) {
    counts.merge(mechanism, count, MechanismCounts::plus);
  }

  private static long plus(long a, long b) {
    try {
      return Math.addExact(a, b);
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException("count must be <= 2^63 - 1, got " + a + " + " + b, e);
    }
  }

  private static long times(long a, long b) {
    try {
      return Math.multiplyExact(a, b);
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException("count must be <= 2^63 - 1, got " + a + " * " + b, e);
    }
  }
}
