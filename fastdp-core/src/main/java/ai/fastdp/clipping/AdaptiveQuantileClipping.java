/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.clipping;

import ai.djl.ndarray.NDArray;
import java.util.Objects;
import java.util.Optional;

/**
 * Flat clipping at a clip norm that follows a quantile of the gradient norms: \(c(n) = \min(1,
 * C_t/n)\), where \(C_0\) is the plan's clip norm and \(C_{t+1}\) follows from the noisy answer to
 * {@link QuantileQuery}.
 *
 * <p>The noise of step t is that of the sensitivity \(C_t\). The query reads the data and is
 * charged in every step, in addition to the gradient.
 *
 * @param query the query and its rule of update
 * @see <a href="https://arxiv.org/abs/1905.03871">Andrew et al. 2021, algorithm 1</a>
 */
public record AdaptiveQuantileClipping(QuantileQuery query) implements ClippingFunction {
  private static final ClippingFunction FLAT = new AbadiClipping();

  /**
   * Requires the query.
   *
   * @param query the query and its rule of update
   */
  public AdaptiveQuantileClipping {
    Objects.requireNonNull(query, "query");
  }

  @Override
  public NDArray factors(NDArray norms, double clipNorm) {
    return FLAT.factors(norms, clipNorm);
  }

  @Override
  public double sensitivity(double clipNorm) {
    return FLAT.sensitivity(clipNorm);
  }

  @Override
  public Optional<QuantileQuery> quantileQuery() {
    return Optional.of(query);
  }
}
