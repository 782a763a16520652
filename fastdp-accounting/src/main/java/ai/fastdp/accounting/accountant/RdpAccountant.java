/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.accountant;

import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.internal.mechanism.Mechanism;
import ai.fastdp.accounting.internal.mechanism.MechanismCounts;
import ai.fastdp.accounting.internal.numeric.Require;
import ai.fastdp.accounting.internal.numeric.ScalarMinimizer;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.DoubleUnaryOperator;

/**
 * Renyi differential privacy, with the order optimised continuously.
 *
 * <p>The cumulants \(K(a) = (a-1) D_a\) of the events add up. For every order a &gt; 1,
 *
 * <p>\(\varepsilon(\delta) = D_a + \log(1 - 1/a) - \log(\delta a)/(a-1)\)
 *
 * <p>(Canonne, Kamath, Steinke 2020, arXiv 2004.00010, proposition 12) is an upper bound. The
 * minimum over a is unique: with b = a - 1 the bound is N(b)/b with N convex, since K is convex and
 * \(b \log b - (b+1)\log(b+1)\) is too; so the best order is found directly, without a grid of
 * orders.
 *
 * <p>The result is an upper bound only. It is typically 10 % above the truth for DP-SGD, and much
 * more for few effective samples.
 *
 * <p>Supported are discrete Gaussian events, alone under every relation and on Poisson samples
 * where no record is replaced by another, and what {@link FdpAccountant} supports; where that has a
 * pair of distributions, its Renyi divergence is used. For batches of fixed size this is smaller
 * than the bound of Wang, Balle, Kasiviswanathan 2019 (arXiv 1808.00087, theorem 27). The curve is
 * accurate to 1e-12 relative; the reported epsilon is rounded up by that much.
 */
public final class RdpAccountant extends EventAccountant {

  /** Covers the quadrature and rounding error of the curve, so that the bound stays a bound. */
  private static final double ROUNDING_MARGIN = 1 + 1e-12;

  private static final double START = Math.log(10);
  private static final double MIN_LOG_ORDER = Math.log(1e-9);
  private static final double MAX_LOG_ORDER = Math.log(1e12);

  private final Map<Mechanism, DoubleUnaryOperator> curves = new LinkedHashMap<>();

  /** An accountant for {@link NeighboringRelation#ADD_OR_REMOVE_ONE}. */
  public RdpAccountant() {
    this(NeighboringRelation.ADD_OR_REMOVE_ONE);
  }

  /**
   * An accountant that has seen nothing.
   *
   * @param relation the relation that the results shall refer to
   */
  public RdpAccountant(NeighboringRelation relation) {
    this(relation, new MechanismCounts());
  }

  private RdpAccountant(NeighboringRelation relation, MechanismCounts counts) {
    super(relation, counts);
  }

  /**
   * Epsilon by one Renyi order.
   *
   * @param epsilon the bound
   * @param order the order a that gives it
   */
  public record Optimum(double epsilon, double order) {}

  @Override
  public String name() {
    return "rdp";
  }

  @Override
  boolean hasRule(Mechanism mechanism) {
    return mechanism.renyi(relation()).isPresent();
  }

  @Override
  public EpsilonBound epsilon(double delta) {
    return counts().isEmpty() ? checkedZero(delta) : EpsilonBound.atMost(optimum(delta).epsilon());
  }

  @Override
  public RdpAccountant copy() {
    return new RdpAccountant(relation(), counts().copy());
  }

  /**
   * Returns the Renyi divergence of the composition.
   *
   * @param order a &gt; 1
   * @return \(D_a\), in nats
   * @throws IllegalArgumentException if {@code order} is not finite and above 1
   */
  public double renyiDivergence(double order) {
    requireOrder(order);
    return cumulant(order) / (order - 1);
  }

  /**
   * Returns epsilon by a given order, which is an upper bound for every order.
   *
   * @param delta in (0, 1)
   * @param order a &gt; 1
   * @return epsilon, at least 0
   * @throws IllegalArgumentException if an argument is out of range
   */
  public double epsilonAtOrder(double delta, double order) {
    Require.delta(delta);
    requireOrder(order);
    return Math.max(0, convert(order, delta));
  }

  /**
   * Returns the smallest epsilon over all orders, and the order.
   *
   * @param delta in (0, 1)
   * @return epsilon and the order; for an empty composition epsilon is 0 and the order infinite
   * @throws IllegalArgumentException if {@code delta} is not in (0, 1)
   */
  public Optimum optimum(double delta) {
    Require.delta(delta);
    if (counts().isEmpty()) {
      return new Optimum(0, Double.POSITIVE_INFINITY);
    }
    ScalarMinimizer.Minimum minimum =
        ScalarMinimizer.minimize(
            t -> convert(1 + Math.exp(t), delta), START, 0.7, MIN_LOG_ORDER, MAX_LOG_ORDER, 1e-6);
    return new Optimum(Math.max(0, minimum.value()), 1 + Math.exp(minimum.at()));
  }

  /**
   * {@inheritDoc}
   *
   * <p>This is the smallest delta over all orders, where \(\log\delta = (a-1)(D_a - \varepsilon +
   * \log(1-1/a)) - \log a\).
   *
   * @return an upper bound, at most 1
   */
  @Override
  public DeltaBound delta(double epsilon) {
    Require.finiteNonNegative("epsilon", epsilon);
    if (counts().isEmpty()) {
      return DeltaBound.zero();
    }
    double logDelta =
        ScalarMinimizer.minimize(
                t -> {
                  double b = Math.exp(t);
                  return cumulant(1 + b) * ROUNDING_MARGIN
                      + b * (Math.log(b) - epsilon)
                      - (1 + b) * Math.log1p(b);
                },
                START,
                0.7,
                MIN_LOG_ORDER,
                MAX_LOG_ORDER,
                1e-6)
            .value();
    return DeltaBound.atMost(Math.min(1, Math.exp(logDelta)));
  }

  private static EpsilonBound checkedZero(double delta) {
    Require.delta(delta);
    return EpsilonBound.zero();
  }

  private double convert(double order, double delta) {
    return (cumulant(order) * ROUNDING_MARGIN - Math.log(delta) - Math.log(order)) / (order - 1)
        + Math.log1p(-1 / order);
  }

  private double cumulant(double order) {
    double total = 0;
    for (Map.Entry<Mechanism, Long> entry : counts().asMap().entrySet()) {
      double one = curves.computeIfAbsent(entry.getKey(), this::newCurve).applyAsDouble(order);
      total += entry.getValue() * one;
    }
    return total;
  }

  private DoubleUnaryOperator newCurve(Mechanism mechanism) {
    return mechanism.renyi(relation()).orElseThrow();
  }

  private static void requireOrder(double order) {
    if (!(order > 1 && order < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException("order must be finite and > 1, got " + order);
    }
  }
}
