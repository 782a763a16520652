/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.loss;

import ai.fastdp.accounting.internal.numeric.NumericalLimitException;
import java.util.OptionalDouble;
import java.util.function.DoubleUnaryOperator;

/**
 * One step of a mechanism as a pair of distributions (P, Q), seen through the privacy loss L = log
 * dP/dQ under P.
 */
public interface DominatingPair {

  /**
   * Value and first two derivatives of the cumulant \(K(c) = \log E_P[e^{cL}]\).
   *
   * @param value K(c)
   * @param mean K'(c), the mean of L under the tilted distribution
   * @param variance K''(c), its variance
   */
  record Cumulant(double value, double mean, double variance) {}

  /** Returns the cumulant at c &gt; 0. */
  Cumulant cumulant(double c);

  /**
   * Returns an upper bound on K(c), up to rounding; defined for larger c than {@link #cumulant}.
   */
  default double cumulantBound(double c) {
    return cumulant(c).value();
  }

  /**
   * Returns an upper bound of the cumulant \((a-1) D_a\) of both directions as a function of the
   * Renyi order a &gt; 1; infinite where it cannot be computed.
   */
  default DoubleUnaryOperator renyi() {
    return order -> {
      try {
        return cumulant(order - 1).value() + cumulantError();
      } catch (NumericalLimitException e) {
        return Double.POSITIVE_INFINITY;
      }
    };
  }

  /** {@return the absolute error of the cumulant's value, apart from rounding} */
  default double cumulantError() {
    return 0;
  }

  /** {@return mu if the loss is exactly that of an unsampled Gaussian mechanism} */
  default OptionalDouble gaussianMu() {
    return OptionalDouble.empty();
  }

  /** Returns the distribution of L under P, tilted by e^{cL}. */
  TiltedLoss tilt(double c);

  /** {@return delta of this step alone} */
  HockeyStick hockeyStick();

  /**
   * Adds the masses of P and Q, cell by cell of the loss, for everything that matters under the
   * tilt c.
   */
  void discretize(ConnectTheDots cells, double c);

  /** {@return the largest value of L} */
  default double highestLoss() {
    return Double.POSITIVE_INFINITY;
  }

  /** {@return the probability under P that L is {@link #highestLoss()}} */
  default double massAtHighestLoss() {
    return 0;
  }

  /** {@return the pair (Q, P); this one if its loss has the same distribution} */
  default DominatingPair reversed() {
    return this;
  }

  /**
   * Returns this pair with P restricted so that it loses at most the given mass, if that shortens
   * the tail.
   *
   * <p>Far in the tail of P the loss may grow without limit. However small the mass there,
   * \(E_P[e^{cL}]\) is nothing but that tail once c is large enough, which keeps the contour away
   * from the saddle point of everything else. Losing mass m from each of T steps lowers delta by at
   * most T m.
   */
  default DominatingPair restricted(double lostMass) {
    return this;
  }

  /** {@return a scale of L; where rounding matters, its density is about the inverse or less} */
  default double scale() {
    return 1;
  }
}
