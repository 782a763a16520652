/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * f-differential privacy: the exact composition of privacy-loss distributions, with lower and upper
 * bounds.
 *
 * <p>Every question is answered by the method that is best for it: in closed form for one step or
 * for unsampled Gaussian steps, by a contour integral of the characteristic function whose cost
 * does not depend on the number of steps, or, for few steps with a spiky loss, by a tilted and
 * FFT-composed discretization. The bounds include aliasing, truncation, quadrature and rounding
 * errors; see {@link ContourIntegral} and {@link TiltedFft}. Both directions (a record removed, a
 * record added) are evaluated and the larger counts, because domination of single steps in one
 * direction does not imply domination of compositions (Lebeda, Regehr, Kamath, Steinke 2024, arXiv
 * 2405.20769).
 *
 * <p>Supported: Gaussian events, on Poisson samples under {@link
 * NeighboringRelation#ADD_OR_REMOVE_ONE} and {@link NeighboringRelation#REPLACE_SPECIAL}, unsampled
 * under {@link NeighboringRelation#REPLACE_ONE}, where noise multipliers stay relative to the clip
 * norm and the sensitivity is twice that.
 */
public final class FdpAccountant implements PrivacyAccountant {

  /** How a number was found. */
  public enum Method {
    /** A formula. */
    CLOSED_FORM,
    /** The contour integral of the characteristic function. */
    CONTOUR,
    /** The tilted discretization, composed by FFT. */
    TILTED_FFT,
    /** Nothing but Chernoff's upper bound could be had. */
    CHERNOFF
  }

  /**
   * Bounds of epsilon with their provenance.
   *
   * @param epsilon the bounds
   * @param method what found the bounds in the direction that counts
   */
  public record Answer(EpsilonBound epsilon, Method method) {}

  private final NeighboringRelation relation;
  private final MechanismCounts counts;

  /** An accountant for {@link NeighboringRelation#ADD_OR_REMOVE_ONE}. */
  public FdpAccountant() {
    this(NeighboringRelation.ADD_OR_REMOVE_ONE);
  }

  /**
   * An accountant that has seen nothing.
   *
   * @param relation the relation that the results shall refer to
   */
  public FdpAccountant(NeighboringRelation relation) {
    this(relation, new MechanismCounts());
  }

  private FdpAccountant(NeighboringRelation relation, MechanismCounts counts) {
    this.relation = Objects.requireNonNull(relation, "relation");
    this.counts = counts;
  }

  @Override
  public NeighboringRelation relation() {
    return relation;
  }

  @Override
  public String name() {
    return "fdp";
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
  public FdpAccountant copy() {
    return new FdpAccountant(relation, counts.copy());
  }

  @Override
  public EpsilonBound epsilon(double delta) {
    return answer(delta).epsilon();
  }

  /**
   * Epsilon at one delta, and how it was found.
   *
   * @param delta in (0, 1)
   * @return the larger of the bounds of both directions
   * @throws IllegalArgumentException if {@code delta} is not in (0, 1)
   */
  public Answer answer(double delta) {
    Require.delta(delta);
    if (counts.isEmpty()) {
      return new Answer(EpsilonBound.zero(), Method.CLOSED_FORM);
    }
    LossSolver.Solved<EpsilonInterval> remove =
        LossSolver.epsilon(losses(MixtureLoss.Direction.REMOVE), delta);
    EpsilonInterval bounds = remove.bounds();
    Method method = remove.method();
    if (isSampled()) {
      LossComposition added = losses(MixtureLoss.Direction.ADD);
      if (Chernoff.epsilon(added, Math.log(delta)) > bounds.lower()) {
        LossSolver.Solved<EpsilonInterval> add = LossSolver.epsilon(added, delta);
        if (add.bounds().upper() > bounds.upper()) {
          method = add.method();
        }
        bounds = bounds.max(add.bounds());
      }
    }
    return new Answer(
        EpsilonBound.interval(bounds.lower(), bounds.estimate(), bounds.upper()), method);
  }

  /**
   * Delta at one epsilon.
   *
   * @param epsilon finite and at least 0
   * @return the larger of the bounds of both directions
   * @throws IllegalArgumentException if {@code epsilon} is out of range
   */
  public DeltaBound delta(double epsilon) {
    Require.finiteNonNegative("epsilon", epsilon);
    if (counts.isEmpty()) {
      return new DeltaBound(0, 0, 0);
    }
    DeltaBound remove =
        DeltaBound.of(LossSolver.delta(losses(MixtureLoss.Direction.REMOVE), epsilon).bounds());
    if (isSampled()) {
      LossComposition added = losses(MixtureLoss.Direction.ADD);
      if (Math.exp(Chernoff.logDelta(added, epsilon)) > remove.lower()) {
        return remove.max(DeltaBound.of(LossSolver.delta(added, epsilon).bounds()));
      }
    }
    return remove;
  }

  /**
   * The trade-off function of what has been composed so far; later compositions do not change it.
   *
   * @return f, symmetric in both directions
   */
  public TradeOffCurve tradeOff() {
    FdpAccountant frozen = copy();
    double largest = counts.isEmpty() ? 1 : frozen.epsilon(1e-15).upper().orElseThrow() + 1;
    return new TradeOffCurve(frozen::delta, Math.min(largest, 700));
  }

  private boolean isSampled() {
    return counts.asMap().keySet().stream()
        .anyMatch(mechanism -> ((SampledGaussian) mechanism).sampleRate() < 1);
  }

  private LossComposition losses(MixtureLoss.Direction direction) {
    // Two contributions of at most the clip norm differ by at most twice the clip norm.
    double sensitivity = relation == NeighboringRelation.REPLACE_ONE ? 2 : 1;
    List<LossComposition.Part> parts = new ArrayList<>();
    for (Map.Entry<Mechanism, Long> entry : counts.asMap().entrySet()) {
      SampledGaussian gaussian = (SampledGaussian) entry.getKey();
      double sigma = gaussian.noiseMultiplier() / sensitivity;
      LossPair pair =
          gaussian.sampleRate() == 1
              ? new GaussianLoss(1 / sigma)
              : new MixtureLoss(gaussian.sampleRate(), sigma, direction);
      parts.add(new LossComposition.Part(pair, entry.getValue()));
    }
    return new LossComposition(parts);
  }
}
