/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.clipping;

import java.util.List;

/**
 * Divides the trainable parameters into groups that are clipped separately.
 *
 * <p>With groups \(1..M\) clipped at \(R_1..R_M\), one sample's whole contribution has norm at most
 * \(\sqrt{\sum_m R_m^2}\); a style must keep that at the clip norm \(R\).
 *
 * @see <a href="https://arxiv.org/abs/2212.01539">He et al. 2022, group-wise clipping</a>
 */
public sealed interface ClippingStyle permits AllLayerClipping {
  /**
   * Assigns parameters to groups.
   *
   * @param parameters the paths of the trainable parameters, in the engine's order
   * @return for each parameter the number of its group, from 0 without gaps
   */
  int[] groups(List<String> parameters);

  /**
   * The clip norm of each group.
   *
   * @param clipNorm the clip norm R of the whole contribution
   * @param groups how many groups there are
   * @return the groups' clip norms, whose squares add up to at most \(R^2\)
   */
  double[] clipNorms(double clipNorm, int groups);

  /**
   * One group with all parameters.
   *
   * @return the style
   */
  static ClippingStyle allLayer() {
    return new AllLayerClipping();
  }
}
