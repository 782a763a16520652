/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

/**
 * The privacy loss of one step moved to the grid \(l_i = i d\) so that the result dominates it.
 *
 * <p>For the cell (l_i, l_{i+1}] with masses P_I and Q_I, \((P_I - e^{l_i} Q_I)/(1 - e^{-d})\) of P
 * goes to the upper end and the rest to the lower end, which keeps both masses. This is the
 * distribution of "connect the dots" (Doroshenko, Ghazi, Kamath, Kumar, Manurangsi 2022, arXiv
 * 2207.04380), the least one on the grid that dominates, but without second differences of delta.
 */
final class DiscretizedLoss {

  private DiscretizedLoss() {}

  /**
   * Adds the masses under P, each times e^{c l}, to a cyclic array: grid point i goes to index i
   * mod length.
   *
   * @param scale log of a common factor of all masses
   */
  static void addTilted(LossPair pair, double c, double d, double scale, double[] cyclic) {
    if (pair instanceof GaussianLoss gaussian) {
      addGaussian(gaussian, c, d, scale, cyclic);
    } else {
      addMixture((MixtureLoss) pair, c, d, scale, cyclic);
    }
  }

  private static void addGaussian(
      GaussianLoss gaussian, double c, double d, double scale, double[] cyclic) {
    double mu = gaussian.mu();
    double centre = mu * mu / 2;
    long first = (long) Math.floor((-centre - 40 * mu) / d);
    long last = (long) Math.ceil((centre + mu * mu * c + 40 * mu) / d);
    requireFeasible(first, last);
    Cells cells = new Cells(c, d, scale, cyclic);
    for (long i = first; i < last; i++) {
      double a = (i * d - centre) / mu;
      double b = ((i + 1) * d - centre) / mu;
      cells.add(i, NormalTail.between(a, b), NormalTail.between(a + mu, b + mu));
    }
  }

  private static void addMixture(
      MixtureLoss pair, double c, double d, double scale, double[] cyclic) {
    double q = pair.sampleRate();
    double s = pair.sigma();
    boolean remove = pair.direction() == MixtureLoss.Direction.REMOVE;
    double lowest = remove ? Math.log1p(-q) : -pair.logRatio(14 * s + 1);
    double highest = remove ? pair.logRatio(pair.rightEnd(c)) : -Math.log1p(-q);
    long first = (long) Math.floor(lowest / d);
    long last = (long) Math.ceil(highest / d);
    requireFeasible(first, last);
    Cells cells = new Cells(c, d, scale, cyclic);
    Edge edge = new Edge(abscissa(pair, first * d, remove) / s, 1 / s);
    for (long i = first; i < last; i++) {
      double x = abscissa(pair, (i + 1) * d, remove);
      if (i + 1 == last && remove) {
        x = Math.min(x, pair.cut());
      }
      Edge next = new Edge(x / s, 1 / s);
      double base = remove ? edge.base.to(next.base) : next.base.to(edge.base);
      double shifted = remove ? edge.shifted.to(next.shifted) : next.shifted.to(edge.shifted);
      double mixed = (1 - q) * base + q * shifted;
      cells.add(i, remove ? mixed : base, remove ? base : mixed);
      edge = next;
    }
  }

  /** The end of a cell, under both components. */
  private static final class Edge {

    private final Tail base;
    private final Tail shifted;

    Edge(double z, double shift) {
      base = Tail.at(z);
      shifted = Tail.at(z - shift);
    }
  }

  /**
   * A point of the standard normal distribution.
   *
   * @param z the point
   * @param smaller the smaller of P(X &gt; z) and P(X &lt; z)
   */
  private record Tail(double z, double smaller) {

    static Tail at(double z) {
      return new Tail(z, NormalTail.above(Math.abs(z)));
    }

    /** The mass up to a point to the right. */
    double to(Tail right) {
      if (z >= 0) {
        return smaller - right.smaller;
      }
      return right.z <= 0 ? right.smaller - smaller : 1 - smaller - right.smaller;
    }
  }

  /** Where the loss has the given value; infinite where it is beyond its range. */
  private static double abscissa(MixtureLoss pair, double loss, boolean remove) {
    double l = remove ? loss : -loss;
    double shifted =
        l < 30 ? Math.log1p(Math.expm1(l) / pair.sampleRate()) : l - Math.log(pair.sampleRate());
    return Double.isNaN(shifted) || shifted == Double.NEGATIVE_INFINITY
        ? Double.NEGATIVE_INFINITY
        : pair.sigma() * pair.sigma() * shifted + 0.5;
  }

  private static void requireFeasible(long first, long last) {
    if (last - first > 12_000_000) {
      throw new NumericalLimitException("discretization needs " + (last - first) + " points");
    }
  }

  /** Splits cells between their ends. */
  private static final class Cells {

    private final double c;
    private final double d;
    private final double scale;
    private final double[] cyclic;
    private final double growth;
    private final double oneMinusRatio;

    Cells(double c, double d, double scale, double[] cyclic) {
      this.c = c;
      this.d = d;
      this.scale = scale;
      this.cyclic = cyclic;
      growth = Math.exp(c * d);
      oneMinusRatio = -Math.expm1(-d);
    }

    void add(long i, double p, double q) {
      if (!(p > 0)) {
        return;
      }
      double l = i * d;
      double up = (p - Math.exp(l) * q) / oneMinusRatio;
      up = Math.max(0, Math.min(p, up));
      double weight = Math.exp(c * l + scale);
      int n = cyclic.length;
      int index = (int) Math.floorMod(i, (long) n);
      cyclic[index] += weight * (p - up);
      cyclic[index + 1 == n ? 0 : index + 1] += weight * growth * up;
    }
  }
}
