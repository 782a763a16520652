/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

import java.util.Arrays;

/** A strategy that is constant along diagonals: \(C_{t,s} = c_{t-s}\), zero for t - s &gt;= b. */
public final class ToeplitzStrategy implements Strategy {

  private final int steps;
  private final Series coefficients;

  ToeplitzStrategy(int steps, Series coefficients) {
    this.steps = steps;
    this.coefficients = coefficients;
  }

  /**
   * A strategy with given coefficients.
   *
   * @param steps the number T of steps
   * @param coefficients \(c_0, \dots, c_{b-1}\), b &lt;= T; finite, \(c_0 &gt; 0\)
   * @return the strategy
   * @throws IllegalArgumentException if an argument is out of range
   */
  public static ToeplitzStrategy of(int steps, double... coefficients) {
    Arguments.positive("steps", steps);
    Series.check(coefficients);
    Arguments.bands(coefficients.length, steps);
    return new ToeplitzStrategy(steps, new Series(coefficients.clone()));
  }

  /**
   * Independent noise, as in DP-SGD: C is the identity.
   *
   * @param steps the number T of steps
   * @return the strategy
   * @throws IllegalArgumentException if {@code steps} is below 1
   */
  public static ToeplitzStrategy independent(int steps) {
    return of(steps, 1);
  }

  /**
   * The square root of a workload, cut off after b bands: A = C C for b = T. For prefix sums \(c_k
   * = (-1)^k \binom{-1/2}{k}\), which for b = T has the least maximum error of all Toeplitz
   * strategies under a single participation (Fichtenberger, Henzinger, Upadhyay, <a
   * href="https://arxiv.org/abs/2202.11205">arXiv 2202.11205</a>; optimality: Dvijotham et al., <a
   * href="https://arxiv.org/abs/2404.16706">arXiv 2404.16706</a>). Cut off it is the banded square
   * root of Kalinin and Lampert (<a href="https://arxiv.org/abs/2405.13763">arXiv 2405.13763</a>).
   *
   * @param workload the workload A (T, T)
   * @param bands b, in [1, T]
   * @return the strategy
   * @throws IllegalArgumentException if {@code bands} is outside of [1, T]
   */
  public static ToeplitzStrategy squareRoot(ToeplitzWorkload workload, int bands) {
    Arguments.bands(bands, workload.steps());
    return new ToeplitzStrategy(workload.steps(), workload.series().squareRoot(bands));
  }

  /**
   * The coefficients of C.
   *
   * @return \(c_0, \dots, c_{b-1}\); a fresh array
   */
  public double[] coefficients() {
    return coefficients.toArray();
  }

  /**
   * The coefficients of the inverse, which correlate the noise: \(w_t = \sum_s n_{t-s} z_s\).
   * {@link NoiseStream} gives the same noise from b values of w instead of all of z.
   *
   * @return \(n_0, \dots, n_{T-1}\); a fresh array
   */
  public double[] noiseCoefficients() {
    return new Series(new double[] {1}).divided(coefficients, steps).toArray();
  }

  @Override
  public int steps() {
    return steps;
  }

  @Override
  public int bands() {
    return coefficients.length();
  }

  @Override
  public double entry(int row, int column) {
    Arguments.step("row", row, steps);
    Arguments.step("column", column, steps);
    return row < column ? 0 : coefficients.at(row - column);
  }

  /**
   * {@inheritDoc}
   *
   * <p>Exact, in O(T k), for coefficients that are not negative and do not increase: then k
   * participations from step 0 on, as dense as allowed, are the worst (Kalinin, Lampert, <a
   * href="https://arxiv.org/abs/2405.13763">arXiv 2405.13763</a>, theorem 2). Otherwise as {@link
   * BandedStrategy#sensitivity}.
   */
  @Override
  public Sensitivity sensitivity(Participation participation) {
    return coefficients.isNonNegativeAndNonIncreasing()
        ? WorstColumns.ofDecreasing(steps, coefficients, participation)
        : WorstColumns.of(Gram.of(this), participation);
  }

  Series series() {
    return coefficients;
  }

  @Override
  public String toString() {
    double[] shown = Arrays.copyOf(coefficients.toArray(), Math.min(bands(), 4));
    return "ToeplitzStrategy[steps="
        + steps
        + ", bands="
        + bands()
        + ", coefficients="
        + Arrays.toString(shown)
        + (bands() > shown.length ? "..." : "")
        + "]";
  }
}
