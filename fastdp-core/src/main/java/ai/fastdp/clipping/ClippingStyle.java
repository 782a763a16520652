/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.clipping;

import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;

/**
 * Divides the trainable parameters into groups that are clipped separately.
 *
 * <p>With groups \(1..K\) clipped at \(R_1..R_K\), one sample's whole contribution has norm at most
 * \(\sqrt{\sum_m R_m^2}\); a style keeps that at the clip norm \(R\). By default \(R_m = R/\sqrt
 * K\); {@link #withClipNorms} gives each group its own.
 *
 * <p>A parameter that several layers share is one parameter: it belongs to the group of the first
 * layer that owns it, in the order of the model's tree, with its uses in all layers.
 *
 * @see <a href="https://arxiv.org/abs/2212.01539">He et al. 2022, group-wise clipping</a>
 */
public sealed interface ClippingStyle
    permits AllLayerClipping,
        LayerWiseClipping,
        ParamWiseClipping,
        GroupWiseClipping,
        BlockWiseClipping,
        GivenClipNorms {
  /**
   * Assigns parameters to groups.
   *
   * @param parameters the paths of the trainable parameters in the order of the model's tree: the
   *     path of the layer and the parameter's name, joined by a slash
   * @return for each parameter the number of its group, from 0 without gaps
   * @throws IllegalArgumentException if the style does not fit the parameters
   */
  int[] groups(List<String> parameters);

  /**
   * The clip norm of each group.
   *
   * @param clipNorm the clip norm R of the whole contribution
   * @param groups how many groups there are
   * @return the groups' clip norms, whose squares add up to at most \(R^2\)
   */
  default double[] clipNorms(double clipNorm, int groups) {
    double[] norms = new double[groups];
    Arrays.fill(norms, clipNorm / Math.sqrt(groups));
    return norms;
  }

  /**
   * The clip norm R of the whole contribution, where the style gives the groups' clip norms.
   *
   * @return \(\sqrt{\sum_m R_m^2}\), or nothing where the plan gives R
   */
  default OptionalDouble clipNorm() {
    return OptionalDouble.empty();
  }

  /**
   * This grouping with a clip norm for each group; the plan takes \(R = \sqrt{\sum_m R_m^2}\) from
   * it.
   *
   * @param clipNorms \(R_1..R_K\), finite and greater than 0, in the order in which the groups
   *     first appear in the model's tree (for {@link #groupWise} in the order of the groups)
   * @return the style
   */
  default ClippingStyle withClipNorms(double... clipNorms) {
    return new GivenClipNorms(this, Arrays.stream(clipNorms).boxed().toList());
  }

  /**
   * One group with all parameters.
   *
   * @return the style
   */
  static ClippingStyle allLayer() {
    return new AllLayerClipping();
  }

  /**
   * One group for each layer.
   *
   * @return the style
   */
  static ClippingStyle layerWise() {
    return new LayerWiseClipping();
  }

  /**
   * One group for each parameter.
   *
   * @return the style
   */
  static ClippingStyle paramWise() {
    return new ParamWiseClipping();
  }

  /**
   * The user's groups.
   *
   * @param groups for each group the paths of its layers, or of blocks that contain them
   * @return the style
   */
  static ClippingStyle groupWise(List<List<String>> groups) {
    return new GroupWiseClipping(groups);
  }

  /**
   * Groups of consecutive layers, with as equal numbers of layers as can be.
   *
   * @param blocks the number of groups K, at least 1
   * @return the style
   */
  static ClippingStyle blockWise(int blocks) {
    return new BlockWiseClipping(blocks);
  }
}
