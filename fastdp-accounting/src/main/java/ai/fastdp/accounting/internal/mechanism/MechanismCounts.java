/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.mechanism;

import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.UnsupportedEventException;
import ai.fastdp.accounting.internal.numeric.Require;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The normal form of a composition: the number of times that each mechanism was run.
 *
 * <p>Nested events are flattened: counts multiply, Poisson sampling of Poisson sampling multiplies
 * the rates, and Gaussian releases of the same sample combine to one with \(\sigma^{-2} = \sum_i
 * \sigma_i^{-2}\), because their joint likelihood ratio depends on the data through one sufficient
 * statistic only. Where some of these releases are discrete Gaussian, the combined one counts as
 * discrete: it has the same bound of its Renyi divergences.
 */
public final class MechanismCounts {

  private final Map<Mechanism, Long> counts;

  /** Creates the normal form of an empty composition. */
  public MechanismCounts() {
    this(Map.of());
  }

  private MechanismCounts(Map<Mechanism, Long> counts) {
    this.counts = new LinkedHashMap<>(counts);
  }

  /**
   * Returns the normal form of one event that happens several times.
   *
   * @throws UnsupportedEventException if it has none
   */
  public static MechanismCounts of(DpEvent event, long count) {
    Require.nonNegative("count", count);
    return new MechanismCounts().addAll(event, count);
  }

  /** {@return an independent copy} */
  public MechanismCounts copy() {
    return new MechanismCounts(counts);
  }

  /** {@return a view of the counts, in the order in which mechanisms were first added} */
  public Map<Mechanism, Long> asMap() {
    return Collections.unmodifiableMap(counts);
  }

  /** {@return whether no mechanism was run} */
  public boolean isEmpty() {
    return counts.isEmpty();
  }

  /** Adds all of {@code other}, or throws and changes nothing. */
  public void addAll(MechanismCounts other) {
    Map<Mechanism, Long> sum = new LinkedHashMap<>(other.counts);
    sum.replaceAll((mechanism, count) -> plus(count, counts.getOrDefault(mechanism, 0L)));
    counts.putAll(sum);
  }

  /** Adds the mechanisms of an event; one that never happens may be of any kind. */
  MechanismCounts addAll(DpEvent event, long count) {
    return count == 0 ? this : event.accept(new Flattening(this, count));
  }

  MechanismCounts add(Mechanism mechanism, long count) {
    counts.merge(mechanism, count, MechanismCounts::plus);
    return this;
  }

  private static long plus(long a, long b) {
    try {
      return Math.addExact(a, b);
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException("count must be <= 2^63 - 1, got " + a + " + " + b, e);
    }
  }

  /** Multiplies counts, and refuses products out of range. */
  static long times(long a, long b) {
    try {
      return Math.multiplyExact(a, b);
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException("count must be <= 2^63 - 1, got " + a + " * " + b, e);
    }
  }
}
