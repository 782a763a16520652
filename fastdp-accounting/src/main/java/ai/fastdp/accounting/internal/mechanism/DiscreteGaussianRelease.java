/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.mechanism;

import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.internal.loss.DominatingPair;
import ai.fastdp.accounting.internal.loss.MixtureRatio;
import ai.fastdp.accounting.internal.loss.SampledGaussianRenyi;
import java.util.Optional;
import java.util.function.DoubleUnaryOperator;

/**
 * The discrete Gaussian mechanism on a Poisson sample.
 *
 * <p>No pair of distributions is known to dominate it; its Renyi divergences are bounded by those
 * of the Gaussian mechanism, at integer orders where it is sampled
 * (docs/proofs/discrete-gaussian.md).
 *
 * @param sampleRate q in (0, 1]
 * @param noiseMultiplier sigma, relative to the largest contribution of one record
 */
public record DiscreteGaussianRelease(double sampleRate, double noiseMultiplier)
    implements Mechanism {

  @Override
  public Optional<DominatingPair> pair(NeighboringRelation relation) {
    return Optional.empty();
  }

  @Override
  public String remedy() {
    return "account for discrete Gaussian noise with RdpAccountant, Poisson samples of it under"
        + " ADD_OR_REMOVE_ONE or REPLACE_SPECIAL";
  }

  @Override
  public Optional<DoubleUnaryOperator> renyi(NeighboringRelation relation) {
    if (sampleRate == 1) {
      double inverse = Mechanism.sensitivity(relation) / noiseMultiplier;
      return Optional.of(new Parabola(inverse * inverse / 2)::at);
    }
    return relation == NeighboringRelation.REPLACE_ONE ? Optional.empty() : Optional.of(sampled());
  }

  private DoubleUnaryOperator sampled() {
    SampledGaussianRenyi gaussian =
        new SampledGaussianRenyi(new MixtureRatio(sampleRate, noiseMultiplier));
    Parabola unsampled = new Parabola(1 / (2 * noiseMultiplier * noiseMultiplier));
    return order -> {
      double below = Math.floor(order);
      if (below == order) {
        return gaussian.cumulant(order);
      }
      double low = below == 1 ? 0 : gaussian.cumulant(below);
      return unsampled.hull(below, low, gaussian.cumulant(below + 1), order);
    };
  }

  /**
   * The cumulant without sampling, which bounds that of a sample.
   *
   * @param height h of h a (a - 1)
   */
  private record Parabola(double height) {

    double at(double order) {
      return height * order * (order - 1);
    }

    /**
     * The largest convex function of the order below the parabola and the chords from integer to
     * integer: the cumulant is convex itself, so it is not above that.
     *
     * @param below an integer order
     * @param low the bound there, at most that of the parabola
     * @param high the bound at the next integer
     * @param order between the two
     */
    double hull(double below, double low, double high, double order) {
      // Where the tangents through the two points touch.
      double left = below + Math.sqrt(Math.max(0, at(below) - low) / height);
      double right = below + 1 - Math.sqrt(Math.max(0, at(below + 1) - high) / height);
      if (left >= right) {
        return low + (order - below) * (high - low);
      }
      if (order <= left) {
        return low + height * (2 * left - 1) * (order - below);
      }
      return order <= right ? at(order) : high - height * (2 * right - 1) * (below + 1 - order);
    }
  }
}
