/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.accountant;

import ai.fastdp.accounting.internal.loss.DeltaInterval;
import ai.fastdp.accounting.internal.loss.DominatingPair;
import ai.fastdp.accounting.internal.loss.GaussianPair;
import ai.fastdp.accounting.internal.loss.LaplacePair;
import ai.fastdp.accounting.internal.loss.PoissonGaussianPair;
import ai.fastdp.accounting.internal.numeric.Require;
import ai.fastdp.accounting.internal.solve.ClosedForm;
import ai.fastdp.accounting.internal.solve.DeltaCurve;
import ai.fastdp.accounting.internal.solve.Effort;
import ai.fastdp.accounting.internal.solve.LossComposition;
import ai.fastdp.accounting.internal.solve.LossSolver;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.DoubleFunction;

/**
 * A trade-off function in one direction, and the operations of f-differential privacy on it (Dong,
 * Roth, Su 2022, arXiv 1905.02383).
 *
 * <p>f = T(Q, P) maps a type I error to the smallest type II error of tests of Q against P. It is
 * known through \(\delta(\varepsilon) = \sup_S P(S) - e^\varepsilon Q(S)\) and the same with P and
 * Q exchanged, each with lower and upper bounds; so lower and upper bounds of f stay bounds under
 * every operation. Compose first and symmetrise last: symmetrising every step is sound but gives
 * less.
 *
 * <pre>{@code
 * TradeOffFunction run = TradeOffFunction.gaussian(1 / sigma).subsample(q).tensorPower(steps);
 * TypeTwoBound f = run.symmetrize().at(0.05);
 * }</pre>
 *
 * <p>Immutable. Tensor products compose pairs of distributions exactly, never curves.
 */
public final class TradeOffFunction {

  private static final double MIN_DELTA = 1e-15;

  /** The exponential of a larger epsilon overflows. */
  private static final double MAX_EPSILON = 700;

  private final DoubleFunction<DeltaInterval> forward;
  private final DoubleFunction<DeltaInterval> backward;
  private final double largestEpsilon;

  /** The pair, if there is one that can be composed. */
  private final Optional<LossComposition> losses;

  private final boolean isCheap;

  private TradeOffFunction(
      DoubleFunction<DeltaInterval> forward,
      DoubleFunction<DeltaInterval> backward,
      double largestEpsilon,
      Optional<LossComposition> losses,
      boolean isCheap) {
    this.forward = forward;
    this.backward = backward;
    this.largestEpsilon = largestEpsilon;
    this.losses = losses;
    this.isCheap = isCheap;
  }

  /** The function of a composition in its own direction. */
  static TradeOffFunction of(LossComposition losses) {
    if (losses.parts().isEmpty()) {
      DoubleFunction<DeltaInterval> none = epsilon -> DeltaInterval.ZERO;
      return new TradeOffFunction(none, none, 1, Optional.of(losses), true);
    }
    LossComposition reversed = losses.reversed();
    double largest = quickUpper(losses);
    if (!losses.isSymmetric()) {
      largest = Math.max(largest, quickUpper(reversed));
    }
    double end = Math.min(largest + 1, MAX_EPSILON);
    double[] samples = {0, end / 10, end / 2};
    boolean cheap = DeltaCurve.isCheap(losses, samples) && DeltaCurve.isCheap(reversed, samples);
    return new TradeOffFunction(
        deltas(losses, cheap), deltas(reversed, cheap), end, Optional.of(losses), cheap);
  }

  private static double quickUpper(LossComposition losses) {
    return LossSolver.epsilon(losses, MIN_DELTA, Effort.QUICK).bounds().upper();
  }

  private static DoubleFunction<DeltaInterval> deltas(LossComposition losses, boolean cheap) {
    DeltaCurve curve = cheap ? DeltaCurve.precise(losses) : DeltaCurve.coarse(losses);
    return epsilon -> curve.at(epsilon).toInterval();
  }

  /**
   * Id(a) = 1 - a, the function of two equal distributions.
   *
   * @return the function
   */
  public static TradeOffFunction identity() {
    return of(new LossComposition(List.of()));
  }

  /**
   * \(G_\mu(a) = \Phi(\Phi^{-1}(1-a) - \mu)\), that of N(0, 1) and N(mu, 1) (definition 2.6 there).
   *
   * @param mu sensitivity over standard deviation, finite and positive
   * @return the function
   * @throws IllegalArgumentException if {@code mu} is out of range
   */
  public static TradeOffFunction gaussian(double mu) {
    Require.finitePositive("mu", mu);
    return of(new LossComposition(List.of(new LossComposition.Part(new GaussianPair(mu), 1))));
  }

  /**
   * Returns the function of Laplace noise at 0 and at t times its scale.
   *
   * @param t sensitivity over the scale of the noise, finite and positive
   * @return the function
   * @throws IllegalArgumentException if {@code t} is out of range
   */
  public static TradeOffFunction laplace(double t) {
    Require.finitePositive("t", t);
    return of(new LossComposition(List.of(new LossComposition.Part(new LaplacePair(t), 1))));
  }

  /**
   * The tensor product: \(T(Q_1 \times Q_2, P_1 \times P_2)\), the function of both mechanisms
   * together (definition 3.1 there).
   *
   * @param other the other factor
   * @return the product
   * @throws IllegalArgumentException if a factor came from subsampling something other than {@link
   *     #gaussian}, its tensor products, or samples of these
   */
  public TradeOffFunction tensor(TradeOffFunction other) {
    List<LossComposition.Part> parts = new ArrayList<>(pairs().parts());
    parts.addAll(other.pairs().parts());
    return of(new LossComposition(parts));
  }

  /**
   * The tensor product of this function with itself.
   *
   * @param count number of factors, at least 0
   * @return the product; {@link #identity()} if there are no factors
   * @throws IllegalArgumentException if {@code count} is negative, or as for {@link #tensor}
   */
  public TradeOffFunction tensorPower(long count) {
    Require.nonNegative("count", count);
    return of(
        new LossComposition(
            pairs().parts().stream()
                .filter(part -> count > 0)
                .map(
                    part ->
                        new LossComposition.Part(
                            part.pair(), Math.multiplyExact(part.count(), count)))
                .toList()));
  }

  /**
   * \(f_p = p f + (1 - p) \mathrm{Id}\): P is used with probability p only, else Q. For a symmetric
   * f, {@code f.subsample(p).symmetrize()} is the operator \(C_p(f) = \min\{f_p, f_p^{-1}\}^{**}\)
   * (definition 4.2 there).
   *
   * <p>With \(\gamma = e^\varepsilon\): \(\delta_p(1 - p + p\gamma) = p\,\delta(\gamma)\) in this
   * direction, and \(\kappa\,\delta(\gamma p/\kappa)\), \(\kappa = 1 - \gamma(1 - p)\), or 0 where
   * that is negative, in the other.
   *
   * @param p probability in [0, 1]
   * @return the function
   * @throws IllegalArgumentException if {@code p} is not in [0, 1]
   */
  public TradeOffFunction subsample(double p) {
    Require.probability("p", p);
    if (p == 0) {
      return identity();
    }
    if (p == 1 || losses.map(pair -> pair.parts().isEmpty()).orElse(false)) {
      return this;
    }
    Optional<LossComposition> sampled = losses.flatMap(pair -> sampled(pair, p));
    if (sampled.isPresent()) {
      return of(sampled.get());
    }
    return new TradeOffFunction(
        epsilon -> forward.apply(Math.log1p(Math.expm1(epsilon) / p)).times(p),
        epsilon -> {
          double kappa = p - (1 - p) * Math.expm1(epsilon);
          return kappa > 0
              ? backward.apply(Math.max(0, epsilon + Math.log(p / kappa))).times(kappa)
              : DeltaInterval.ZERO;
        },
        largestEpsilon,
        Optional.empty(),
        isCheap);
  }

  /** A pair for the sample, where the machinery has one. */
  private static Optional<LossComposition> sampled(LossComposition losses, double p) {
    OptionalDouble mu = ClosedForm.gaussianMu(losses);
    DominatingPair pair = losses.parts().get(0).pair();
    if (mu.isPresent()) {
      pair = new PoissonGaussianPair(p, 1 / mu.getAsDouble(), PoissonGaussianPair.Direction.REMOVE);
    } else if (losses.steps() == 1
        && pair instanceof PoissonGaussianPair mixture
        && mixture.direction() == PoissonGaussianPair.Direction.REMOVE) {
      pair =
          new PoissonGaussianPair(
              p * mixture.ratio().sampleRate(),
              mixture.ratio().sigma(),
              PoissonGaussianPair.Direction.REMOVE);
    } else {
      return Optional.empty();
    }
    return Optional.of(new LossComposition(List.of(new LossComposition.Part(pair, 1))));
  }

  /** {@return the other direction, T(P, Q), which is the inverse function} */
  public TradeOffFunction inverse() {
    return new TradeOffFunction(
        backward, forward, largestEpsilon, losses.map(LossComposition::reversed), isCheap);
  }

  /**
   * delta in this direction: \(\sup_S P(S) - e^\varepsilon Q(S)\).
   *
   * @param epsilon finite and at least 0
   * @return its bounds
   * @throws IllegalArgumentException if {@code epsilon} is out of range
   */
  public DeltaBound delta(double epsilon) {
    Require.finiteNonNegative("epsilon", epsilon);
    DeltaInterval delta = forward.apply(epsilon);
    return DeltaBound.interval(delta.lower(), delta.estimate(), delta.upper());
  }

  /** {@return the curve of f in this direction} */
  public TradeOffCurve curve() {
    return curve(forward, backward);
  }

  /**
   * \(\min\{f, f^{-1}\}^{**}\), the largest symmetric trade-off function below f: what holds
   * whichever of the two distributions is the truth.
   *
   * @return the curve
   */
  public TradeOffCurve symmetrize() {
    boolean symmetric = losses.isPresent() && losses.get().isSymmetric();
    DoubleFunction<DeltaInterval> larger =
        symmetric ? forward : epsilon -> forward.apply(epsilon).max(backward.apply(epsilon));
    return curve(larger, larger);
  }

  private TradeOffCurve curve(
      DoubleFunction<DeltaInterval> towards, DoubleFunction<DeltaInterval> away) {
    return isCheap
        ? TradeOffCurve.onDemand(towards, away, largestEpsilon)
        : TradeOffCurve.onGrid(towards, away, largestEpsilon);
  }

  private LossComposition pairs() {
    return losses.orElseThrow(
        () ->
            new IllegalArgumentException(
                "factor must be a product of samples of Gaussian or of Laplace functions, got a"
                    + " sample of something else; take the tensor product before subsampling"));
  }
}
