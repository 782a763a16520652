/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.loss;

import ai.fastdp.accounting.internal.numeric.NumericalLimitException;

/**
 * The privacy loss of one step moved to the grid \(l_i = i d\) so that the result dominates it.
 *
 * <p>For the cell (l_i, l_{i+1}] with masses P_I and Q_I, \((P_I - e^{l_i} Q_I)/(1 - e^{-d})\) of P
 * goes to the upper end and the rest to the lower end, which keeps both masses. This is the
 * distribution of "connect the dots" (Doroshenko, Ghazi, Kamath, Kumar, Manurangsi 2022, arXiv
 * 2207.04380), the least one on the grid that dominates, but without second differences of delta.
 *
 * <p>Masses under P are held times e^{cl} in a cyclic array: grid point i is at index i mod length.
 */
public final class ConnectTheDots {

  private static final long MAX_CELLS = 12_000_000;

  private final double c;
  private final double spacing;
  private final double logFactor;
  private final double[] cyclic;
  private final double growth;
  private final double oneMinusRatio;
  private double roundedUp;
  private double movedFar;

  /**
   * Creates an array without mass.
   *
   * @param logFactor log of a common factor of all masses
   */
  public ConnectTheDots(double c, double spacing, double logFactor, int length) {
    this.c = c;
    this.spacing = spacing;
    this.logFactor = logFactor;
    cyclic = new double[length];
    growth = Math.exp(c * spacing);
    oneMinusRatio = -Math.expm1(-spacing);
  }

  /** {@return the distance d of grid points} */
  double spacing() {
    return spacing;
  }

  /** Returns the index of the cell that a loss is in. */
  long index(double loss) {
    return (long) Math.floor(loss / spacing);
  }

  /**
   * Checks that a range of cells can be afforded.
   *
   * @throws NumericalLimitException if it cannot
   */
  void requireFeasible(long first, long last) {
    if (!(last - first <= MAX_CELLS && first > Long.MIN_VALUE / 4 && last < Long.MAX_VALUE / 4)) {
      throw new NumericalLimitException("discretization needs too many points");
    }
  }

  /** Adds the masses between l_i and l_{i+1}. */
  void add(long i, double p, double q) {
    if (!(p > 0)) {
      return;
    }
    double l = i * spacing;
    double weight = Math.exp(c * l + logFactor);
    double up = p;
    if (q >= Double.MIN_NORMAL) {
      double equal = l < 700 ? Math.exp(l) * q : Math.exp(l + Math.log(q));
      up = Math.max(0, Math.min(p, (p - equal) / oneMinusRatio));
    } else {
      roundedUp += weight * growth * p;
    }
    int n = cyclic.length;
    int index = (int) Math.floorMod(i, (long) n);
    cyclic[index] += weight * (p - up);
    cyclic[index + 1 == n ? 0 : index + 1] += weight * growth * up;
  }

  /** Moves the mass of P below l_i up to there, however far. */
  void addBelow(long i, double p) {
    double weighted = Math.exp(c * i * spacing + logFactor) * p;
    cyclic[(int) Math.floorMod(i, (long) cyclic.length)] += weighted;
    movedFar += weighted;
  }

  /** {@return the part of the tilted mass that was moved up by more than a cell} */
  public double movedFar() {
    return movedFar;
  }

  /**
   * {@return the part of the tilted mass that was moved up because its mass under Q underflowed}
   */
  public double roundedUp() {
    return roundedUp;
  }

  /** {@return the array} */
  public double[] masses() {
    return cyclic;
  }
}
