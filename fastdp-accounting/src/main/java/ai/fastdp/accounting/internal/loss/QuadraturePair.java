/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.loss;

import java.util.List;

/** A pair whose moments are found by the trapezoid rule over a parameter v of the privacy loss. */
public interface QuadraturePair extends DominatingPair {

  /**
   * A part of the distribution of L under P, over a parameter v in which the loss is monotone.
   *
   * <p>Integrands are analytic in a strip around the real axis, so that the trapezoid rule
   * converges geometrically.
   */
  interface Branch {

    /** Returns the left end of the range in which P, Q or the tilted distribution has mass. */
    double leftEnd(double c);

    /** Returns the right end of the range in which P, Q or the tilted distribution has mass. */
    double rightEnd(double c);

    /** Fills in the values at v. */
    void at(double v, Node node);
  }

  /** The values at one node of the rule. */
  final class Node {
    /** Log of the density of P with respect to v. */
    double logP;

    /** The privacy loss L. */
    double loss;

    /** |dL/dv|. */
    double slope;
  }

  /**
   * {@return the parts of the distribution, their losses in increasing order; {@link #atom()} lies
   * between them}
   */
  List<Branch> branches();

  /** {@return the mass of P where the loss is 0} */
  default double atom() {
    return 0;
  }

  /**
   * Returns a spacing of the trapezoid rule at which \(E_P[e^{(c+is')L}]\) has relative error below
   * e^-45 for all |s'| &lt;= s.
   */
  double spacing(double c, double s);

  @Override
  default double cumulantError() {
    return QUADRATURE_ERROR;
  }

  @Override
  default Cumulant cumulant(double c) {
    return new TiltedGrid(this, c, spacing(c, 0)).cumulant();
  }

  @Override
  default double cumulantBound(double c) {
    return new TiltedGrid(this, c, spacing(c, 0)).cumulantBound();
  }

  @Override
  default TiltedLoss tilt(double c) {
    return new TiltedQuadrature(this, c);
  }

  /** Log of the inverse of the relative error that the trapezoid rule may have. */
  double LOG_PRECISION = 46;

  /**
   * Relative error of one step's moment generating function, which is the absolute error of its
   * cumulant; see {@link #spacing}.
   */
  double QUADRATURE_ERROR = 3e-20;

  /**
   * Returns the spacing for one strip.
   *
   * <p>The trapezoid rule's error is e^{-2 pi y/dx} times the growth of the integrand on the strip
   * (Trefethen and Weideman, SIAM Review 2014, theorem 5.1).
   *
   * @param y half width of the strip, in units of the parameter
   * @param logGrowth log of the growth
   */
  static double spacingFor(double y, double logGrowth) {
    return 2 * Math.PI * y / (LOG_PRECISION + logGrowth);
  }
}
