/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

/**
 * The Poisson-sampled Gaussian mechanism as a pair on the real line with density ratio \(r(x) = 1 +
 * q (e^{(2x-1)/(2 s^2)} - 1)\) of the mixture (1-q) N(0, s^2) + q N(1, s^2) to N(0, s^2).
 *
 * @param sampleRate q in (0, 1)
 * @param sigma standard deviation s relative to the sensitivity
 * @param direction which of the two is P
 * @param cut P is restricted to x &lt;= cut; what lies beyond has to be accounted for by the caller
 */
record MixtureLoss(double sampleRate, double sigma, Direction direction, double cut)
    implements LossPair {

  MixtureLoss(double sampleRate, double sigma, Direction direction) {
    this(sampleRate, sigma, direction, Double.POSITIVE_INFINITY);
  }

  /**
   * This pair with P restricted so that it loses at most the given mass.
   *
   * <p>Far in the tail of P the loss grows without limit. However small the mass there,
   * \(E_P[e^{cL}]\) is nothing but that tail once c is large enough, which keeps the contour away
   * from the saddle point of everything else. Losing mass m from each of T steps lowers delta by at
   * most T m. (In direction ADD the loss is bounded and nothing is cut.)
   */
  MixtureLoss restricted(double lostMass) {
    if (direction == Direction.ADD) {
      return this;
    }
    // P(X > 1 + s z) <= e^{-z^2/2}
    double edge = 1 + sigma * Math.sqrt(-2 * Math.log(lostMass));
    return new MixtureLoss(sampleRate, sigma, direction, edge);
  }

  /** Which data set has one record more. */
  enum Direction {
    /** P is the mixture: the record is removed from P's data to get Q's. */
    REMOVE,
    /** Q is the mixture. */
    ADD
  }

  @Override
  public Cumulant cumulant(double c) {
    return new TiltedGrid(this, c, spacing(c, 0)).cumulant();
  }

  @Override
  public TiltedLoss tilt(double c) {
    return new TiltedMixture(this, c);
  }

  /** log r(x). */
  double logRatio(double x) {
    double u = (2 * x - 1) / (2 * sigma * sigma);
    return u < 700 ? Math.log1p(sampleRate * Math.expm1(u)) : u + Math.log(sampleRate);
  }

  /** The log of P's density relative to N(0, s^2), given log r. */
  double logP(double logRatio) {
    return direction == Direction.REMOVE ? logRatio : 0;
  }

  /** The privacy loss, given log r. */
  double loss(double logRatio) {
    return direction == Direction.REMOVE ? logRatio : -logRatio;
  }

  /** Left end of where P, Q or the tilted law has mass. */
  double leftEnd(double c) {
    if (direction == Direction.REMOVE) {
      return -11 * sigma;
    }
    // The peak of r^-c times the normal density is where x = -c w(x), w the posterior weight of the
    // shifted component, which is at most w(0) for x < 0.
    double weight = 1 / (1 + (1 - sampleRate) / sampleRate * Math.exp(1 / (2 * sigma * sigma)));
    return -c * weight - 11 * sigma;
  }

  /** Right end of where P, Q or the tilted law has mass, not beyond the cut. */
  double rightEnd(double c) {
    return Math.min(cut, (direction == Direction.REMOVE ? c + 1 : 1) + 11 * sigma);
  }

  /**
   * A spacing of the trapezoid rule at which \(E_P[e^{(c+is')L}]\) has relative error below e^-40
   * for all |s'| &lt;= s.
   *
   * <p>On the line Im x = y, |y| = t s^2 with t &lt; pi, the integrand is at most e^{y^2/(2 s^2) +
   * |s'| t} times its value on the real line, because |arg r| &lt;= t and |r(x+iy)| &lt;= r(x); in
   * direction ADD, where r has a negative power, |r(x + iy)| &gt;= r(x) cos(t/2) costs the factor
   * cos(t/2)^-c. The trapezoid rule's error is e^{-2 pi y/dx} times that (Trefethen and Weideman,
   * SIAM Review 2014, theorem 5.1). The best t is searched.
   */
  double spacing(double c, double s) {
    double best = 0;
    for (int i = 1; i <= 24; i++) {
      double t = Math.PI * Math.pow(0.8, i - 1) * 0.95;
      double y = t * sigma * sigma;
      double growth = t * t * sigma * sigma / 2 + s * t;
      if (direction == Direction.ADD) {
        growth -= c * Math.log(Math.cos(t / 2));
      }
      best = Math.max(best, 2 * Math.PI * y / (41 + growth));
    }
    return best;
  }
}
