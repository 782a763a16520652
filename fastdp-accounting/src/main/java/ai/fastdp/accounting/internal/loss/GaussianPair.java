/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.loss;

import ai.fastdp.accounting.internal.numeric.NormalEdge;
import java.util.Arrays;
import java.util.OptionalDouble;
import java.util.stream.IntStream;

/**
 * The unsampled Gaussian mechanism: \(L \sim N(\mu^2/2, \mu^2)\) under P, so \(K(c) =
 * c(c+1)\mu^2/2\).
 *
 * @param mu sensitivity over standard deviation
 */
public record GaussianPair(double mu) implements DominatingPair {

  /**
   * The parameter of independent Gaussian steps together: their squares add up.
   *
   * @param counts how many steps there are of each kind
   * @param mus the parameters of the kinds
   */
  public static double composed(double[] counts, double[] mus) {
    double largest = Arrays.stream(mus).max().orElse(0);
    if (largest == 0 || largest == Double.POSITIVE_INFINITY) {
      return largest;
    }
    // In units whose square neither over- nor underflows; summed with compensation, so that the
    // error does not grow with the number of kinds.
    return largest
        * Math.sqrt(
            IntStream.range(0, mus.length)
                .mapToDouble(i -> counts[i] * (mus[i] / largest) * (mus[i] / largest))
                .sum());
  }

  @Override
  public Cumulant cumulant(double c) {
    double square = mu * mu;
    return new Cumulant(c * (c + 1) * square / 2, (c + 0.5) * square, square);
  }

  @Override
  public OptionalDouble gaussianMu() {
    return OptionalDouble.of(mu);
  }

  @Override
  public TiltedLoss tilt(double c) {
    return new Tilted(cumulant(c));
  }

  @Override
  public HockeyStick hockeyStick() {
    return new GaussianHockeyStick(mu);
  }

  @Override
  public void discretize(ConnectTheDots cells, double c) {
    double centre = mu * mu / 2;
    double d = cells.spacing();
    long first = cells.index(-centre - 40 * mu);
    long last = cells.index(centre + mu * mu * c + 40 * mu) + 1;
    cells.requireFeasible(first, last);
    NormalEdge p = NormalEdge.at((first * d - centre) / mu);
    NormalEdge q = NormalEdge.at((first * d + centre) / mu);
    for (long i = first; i < last; i++) {
      NormalEdge nextP = NormalEdge.at(((i + 1) * d - centre) / mu);
      NormalEdge nextQ = NormalEdge.at(((i + 1) * d + centre) / mu);
      cells.add(i, p.to(nextP), q.to(nextQ));
      p = nextP;
      q = nextQ;
    }
  }

  /** A tilted normal distribution, of which only the mean moves. */
  private record Tilted(Cumulant cumulant) implements TiltedLoss {

    @Override
    public void addLogPhi(double step, int from, int to, double count, double[] re, double[] im) {
      for (int k = from; k < to; k++) {
        double s = k * step;
        re[k] -= count * cumulant.variance() * s * s / 2;
      }
    }

    @Override
    public double logModulusBound(double lowest, double highest) {
      return -cumulant.variance() * lowest * lowest / 2;
    }

    @Override
    public double edgeError() {
      return 0;
    }

    @Override
    public double costAt(double s) {
      return 1;
    }
  }
}
