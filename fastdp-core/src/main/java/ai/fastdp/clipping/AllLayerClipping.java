/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.clipping;

import java.util.List;

/** All parameters in one group: the norm is that of the whole gradient. */
public record AllLayerClipping() implements ClippingStyle {
  @Override
  public int[] groups(List<String> parameters) {
    return new int[parameters.size()];
  }
}
