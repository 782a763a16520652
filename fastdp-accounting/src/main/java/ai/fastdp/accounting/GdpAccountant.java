/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

import java.util.Map;
import java.util.Objects;

/**
 * Gaussian differential privacy by the central limit theorem (Bu, Dong, Long, Su 2019, arXiv
 * 1911.11607).
 *
 * <p>T steps with Poisson rate q and noise multiplier s are taken for one Gaussian mechanism with
 *
 * <p>\(\mu^2 = q^2 T (e^{1/s^2} - 1)\) (corollary 4 there), and phases add up in \(\mu^2\).
 * Unsampled Gaussian steps contribute \(\mu^2 = T/s^2\), which is exact.
 *
 * <p>Below q = 1 the result is an <em>estimate</em> and can be far too low (by 88 % at one step) as
 * well as too high; it is typed so, has no upper bound, and cannot enforce a budget. When all steps
 * are unsampled, epsilon is exact and has all three numbers.
 *
 * <p>Relations as for {@link FdpAccountant}.
 */
public final class GdpAccountant implements PrivacyAccountant {

  private final NeighboringRelation relation;
  private final MechanismCounts counts;

  /** An accountant for {@link NeighboringRelation#ADD_OR_REMOVE_ONE}. */
  public GdpAccountant() {
    this(NeighboringRelation.ADD_OR_REMOVE_ONE);
  }

  /**
   * An accountant that has seen nothing.
   *
   * @param relation the relation that the results shall refer to
   */
  public GdpAccountant(NeighboringRelation relation) {
    this(relation, new MechanismCounts());
  }

  private GdpAccountant(NeighboringRelation relation, MechanismCounts counts) {
    this.relation = Objects.requireNonNull(relation, "relation");
    this.counts = counts;
  }

  @Override
  public NeighboringRelation relation() {
    return relation;
  }

  @Override
  public String name() {
    return "gdp";
  }

  @Override
  public boolean supports(DpEvent event) {
    return SampledGaussianEvents.supports(event, relation);
  }

  @Override
  public void compose(DpEvent event, long count) {
    counts.addAll(SampledGaussianEvents.normalForm(event, count, relation));
  }

  @Override
  public GdpAccountant copy() {
    return new GdpAccountant(relation, counts.copy());
  }

  /**
   * The parameter of the Gaussian mechanism that stands for what was composed.
   *
   * @return mu, 0 if nothing was composed
   */
  public double mu() {
    double sensitivity = relation == NeighboringRelation.REPLACE_ONE ? 2 : 1;
    double square = 0;
    for (Map.Entry<Mechanism, Long> entry : counts.asMap().entrySet()) {
      SampledGaussian gaussian = (SampledGaussian) entry.getKey();
      double inverse = sensitivity / gaussian.noiseMultiplier();
      double q = gaussian.sampleRate();
      square +=
          entry.getValue() * (q == 1 ? inverse * inverse : q * q * Math.expm1(inverse * inverse));
    }
    return Math.sqrt(square);
  }

  /**
   * Whether all steps were unsampled, so that mu is exact.
   *
   * @return true if no approximation was made
   */
  public boolean isExact() {
    return counts.asMap().keySet().stream()
        .allMatch(mechanism -> ((SampledGaussian) mechanism).sampleRate() == 1);
  }

  @Override
  public EpsilonBound epsilon(double delta) {
    Require.delta(delta);
    if (counts.isEmpty()) {
      return EpsilonBound.zero();
    }
    double mu = mu();
    if (!(mu < 1e150)) {
      return EpsilonBound.approximately(Double.POSITIVE_INFINITY);
    }
    EpsilonInterval interval = new GaussianHockeyStick(mu).epsilon(Math.log(delta));
    return isExact()
        ? EpsilonBound.interval(interval.lower(), interval.estimate(), interval.upper())
        : EpsilonBound.approximately(interval.estimate());
  }

  /**
   * Delta of the Gaussian mechanism with parameter {@link #mu()}; an estimate unless {@link
   * #isExact()}.
   *
   * @param epsilon finite and at least 0
   * @return delta
   * @throws IllegalArgumentException if {@code epsilon} is out of range
   */
  public double delta(double epsilon) {
    Require.finiteNonNegative("epsilon", epsilon);
    return counts.isEmpty() ? 0 : Math.exp(new GaussianHockeyStick(mu()).at(epsilon).log());
  }
}
