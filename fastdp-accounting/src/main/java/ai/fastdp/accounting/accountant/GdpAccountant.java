/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.accountant;

import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.internal.loss.EpsilonInterval;
import ai.fastdp.accounting.internal.loss.GaussianHockeyStick;
import ai.fastdp.accounting.internal.loss.GaussianPair;
import ai.fastdp.accounting.internal.mechanism.Mechanism;
import ai.fastdp.accounting.internal.mechanism.MechanismCounts;
import ai.fastdp.accounting.internal.numeric.Require;
import java.util.Map;

/**
 * Gaussian differential privacy by the central limit theorem (Bu, Dong, Long, Su 2019, arXiv
 * 1911.11607).
 *
 * <p>T steps with Poisson rate q and noise multiplier s are taken for one Gaussian mechanism with
 *
 * <p>\(\mu^2 = q^2 T (e^{1/s^2} - 1)\) (corollary 4 there), and batches of fixed size, with x = 2/s
 * under {@link NeighboringRelation#REPLACE_ONE}, for one with
 *
 * <p>\(\mu^2 = 2 q^2 T (e^{x^2} \Phi(1.5 x) + 3 \Phi(-0.5 x) - 2)\) (theorem 5 there). Phases add
 * up in \(\mu^2\). Unsampled Gaussian steps contribute \(\mu^2 = T/s^2\), which is exact.
 *
 * <p>Below q = 1 the result is an <em>estimate</em> and can be far too low (by 88 % at one step) as
 * well as too high; it is typed so, has no upper bound, and cannot enforce a budget. When all steps
 * are unsampled, epsilon is exact and has all three numbers. The estimate for Poisson samples tends
 * to \(\mu^2 = T (e^{1/s^2} - 1)\) for q towards 1, which is above the exact \(T/s^2\): as a
 * function of q it falls at q = 1.
 *
 * <p>Supported: Gaussian events alone under every relation, on Poisson samples under {@link
 * NeighboringRelation#ADD_OR_REMOVE_ONE} and {@link NeighboringRelation#REPLACE_SPECIAL}, on
 * batches of fixed size under {@link NeighboringRelation#REPLACE_ONE}. Laplace events are refused:
 * they are not Gaussian, and few of them are not nearly so.
 */
public final class GdpAccountant extends EventAccountant {

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
    super(relation, counts);
  }

  @Override
  public String name() {
    return "gdp";
  }

  @Override
  boolean hasRule(Mechanism mechanism) {
    return mechanism.cltMu(relation()).isPresent();
  }

  @Override
  public GdpAccountant copy() {
    return new GdpAccountant(relation(), counts().copy());
  }

  /**
   * {@return the parameter mu of the Gaussian mechanism that approximates the composition; 0 if it
   * is empty}
   */
  public double mu() {
    Map<Mechanism, Long> all = counts().asMap();
    return GaussianPair.composed(
        all.values().stream().mapToDouble(Long::doubleValue).toArray(),
        all.keySet().stream()
            .mapToDouble(mechanism -> mechanism.cltMu(relation()).orElseThrow())
            .toArray());
  }

  /** {@return whether all steps are unsampled, so that mu is exact} */
  public boolean isExact() {
    return counts().asMap().keySet().stream()
        .allMatch(
            mechanism ->
                mechanism
                    .pair(relation())
                    .filter(pair -> pair.gaussianMu().isPresent())
                    .isPresent());
  }

  @Override
  public EpsilonBound epsilon(double delta) {
    Require.delta(delta);
    if (counts().isEmpty()) {
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
   * {@inheritDoc}
   *
   * @return delta of the Gaussian mechanism with parameter {@link #mu()}; an estimate
   */
  @Override
  public DeltaBound delta(double epsilon) {
    Require.finiteNonNegative("epsilon", epsilon);
    return counts().isEmpty()
        ? DeltaBound.zero()
        : DeltaBound.approximately(Math.exp(new GaussianHockeyStick(mu()).at(epsilon).log()));
  }
}
