/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.clipping;

import java.util.List;

/** The parameters of each layer in a group of their own. */
public record LayerWiseClipping() implements ClippingStyle {
  @Override
  public int[] groups(List<String> parameters) {
    return LayerPaths.numbers(parameters);
  }
}
