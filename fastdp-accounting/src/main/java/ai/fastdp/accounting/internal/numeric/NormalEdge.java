/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.numeric;

/**
 * A point of a normal distribution of variance 1, which gives masses up to other points without
 * cancellation in the tails.
 *
 * @param z the point relative to the mean
 * @param smaller the smaller of P(X &gt; z) and P(X &lt; z)
 */
public record NormalEdge(double z, double smaller) {

  public static NormalEdge at(double z) {
    return new NormalEdge(z, NormalTail.above(Math.abs(z)));
  }

  /** Returns the mass up to a point to the right. */
  public double to(NormalEdge right) {
    if (z >= 0) {
      return smaller - right.smaller;
    }
    return right.z <= 0 ? right.smaller - smaller : 1 - smaller - right.smaller;
  }
}
