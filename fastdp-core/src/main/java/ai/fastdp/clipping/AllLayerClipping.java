/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.clipping;

import java.util.Arrays;
import java.util.List;

/** All parameters in one group: the norm is that of the whole gradient. */
public record AllLayerClipping() implements ClippingStyle {
  @Override
  public int[] groups(List<String> parameters) {
    return new int[parameters.size()];
  }

  @Override
  public double[] clipNorms(double clipNorm, int groups) {
    double[] norms = new double[groups];
    Arrays.fill(norms, clipNorm / Math.sqrt(groups));
    return norms;
  }
}
