/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.loss;

import ai.fastdp.accounting.internal.numeric.NormalTail;
import ai.fastdp.accounting.internal.numeric.NumericalLimitException;
import java.util.List;
import java.util.function.DoubleUnaryOperator;

/**
 * The Poisson-sampled Gaussian mechanism as a pair on the real line with density ratio \(r(x) = 1 +
 * q (e^{(2x-1)/(2 s^2)} - 1)\) of the mixture (1-q) N(0, s^2) + q N(1, s^2) to N(0, s^2).
 *
 * @param ratio q and s, s relative to the sensitivity
 * @param direction which of the two is P
 * @param cut P is restricted to x &lt;= cut; what lies beyond has to be accounted for by the caller
 */
public record PoissonGaussianPair(MixtureRatio ratio, Direction direction, double cut)
    implements QuadraturePair, QuadraturePair.Branch {

  /**
   * Losses with a smaller fraction of the tilted distribution, as a logarithm, are put together.
   */
  private static final double IGNORED = -45;

  public PoissonGaussianPair(double sampleRate, double sigma, Direction direction) {
    this(new MixtureRatio(sampleRate, sigma), direction, Double.POSITIVE_INFINITY);
  }

  /** The data set that has one record more. */
  public enum Direction {
    /** P is the mixture: the record is removed from P's data to get Q's. */
    REMOVE,
    /** Q is the mixture. */
    ADD
  }

  @Override
  public PoissonGaussianPair reversed() {
    return new PoissonGaussianPair(
        ratio, direction == Direction.REMOVE ? Direction.ADD : Direction.REMOVE, cut);
  }

  /** In direction ADD the loss is bounded and nothing is cut. */
  @Override
  public PoissonGaussianPair restricted(double lostMass) {
    return direction == Direction.ADD
        ? this
        : new PoissonGaussianPair(ratio, direction, ratio.quantileBound(lostMass));
  }

  /** In direction ADD the ratio is at least 1 - q. */
  @Override
  public double highestLoss() {
    return direction == Direction.ADD ? -Math.log1p(-ratio.sampleRate()) : Double.POSITIVE_INFINITY;
  }

  @Override
  public double scale() {
    return ratio.sigma();
  }

  @Override
  public HockeyStick hockeyStick() {
    return new PoissonGaussianHockeyStick(ratio, direction);
  }

  /** The direction REMOVE has the larger divergence (arXiv 1908.10530, theorem 5). */
  @Override
  public DoubleUnaryOperator renyi() {
    return new SampledGaussianRenyi(ratio)::cumulant;
  }

  /** The direction REMOVE has the larger cumulant (arXiv 1908.10530, theorem 5). */
  @Override
  public double cumulantBound(double c) {
    try {
      return QuadraturePair.super.cumulantBound(c);
    } catch (NumericalLimitException e) {
      return new SampledGaussianRenyi(ratio).cumulantBound(c);
    }
  }

  @Override
  public List<Branch> branches() {
    return List.of(this);
  }

  @Override
  public void at(double x, Node node) {
    double logRatio = ratio.log(x);
    boolean remove = direction == Direction.REMOVE;
    node.loss = remove ? logRatio : -logRatio;
    node.logP = ratio.logBase(x) + (remove ? logRatio : 0);
    node.slope = ratio.logDerivative(x, logRatio);
  }

  @Override
  public double leftEnd(double c) {
    // The peak of r^-c times the normal density is where x = -c w(x), w the posterior weight of the
    // shifted component, which is at most w(0) for x < 0.
    return direction == Direction.REMOVE
        ? -11 * ratio.sigma()
        : -c * ratio.weightAtZero() - 11 * ratio.sigma();
  }

  /** {@inheritDoc} It is not beyond the cut. */
  @Override
  public double rightEnd(double c) {
    return Math.min(cut, (direction == Direction.REMOVE ? c + 1 : 1) + 11 * ratio.sigma());
  }

  /** In direction ADD the ratio has a negative power. */
  @Override
  public double spacing(double c, double s) {
    return ratio.spacing(s, direction == Direction.ADD ? c : 0);
  }

  @Override
  public void discretize(ConnectTheDots cells, double c) {
    boolean remove = direction == Direction.REMOVE;
    double q = ratio.sampleRate();
    double d = cells.spacing();
    double lowest =
        remove
            ? Math.log1p(-q)
            : Math.max(-ratio.log(14 * ratio.sigma() + 1), (cumulant(c).value() + IGNORED) / c);
    double highest = remove ? ratio.log(rightEnd(c)) : -Math.log1p(-q);
    long first = cells.index(lowest);
    long last = (long) Math.ceil(highest / d);
    cells.requireFeasible(first, last);
    double start = ratio.inverse(remove ? first * d : -first * d);
    if (!remove) {
      cells.addBelow(first, NormalTail.above(start / ratio.sigma()));
    }
    MixtureRatio.Edge edge = ratio.edge(start);
    for (long i = first; i < last; i++) {
      double x = ratio.inverse(remove ? (i + 1) * d : -(i + 1) * d);
      if (i + 1 == last && remove) {
        x = Math.min(x, cut);
      }
      MixtureRatio.Edge next = ratio.edge(x);
      MixtureRatio.Edge left = remove ? edge : next;
      MixtureRatio.Edge right = remove ? next : edge;
      double base = left.base(right);
      double mixed = left.mixture(right, q);
      cells.add(i, remove ? mixed : base, remove ? base : mixed);
      edge = next;
    }
  }
}
