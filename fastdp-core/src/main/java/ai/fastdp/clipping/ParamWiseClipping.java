/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.clipping;

import java.util.List;
import java.util.stream.IntStream;

/** Each parameter in a group of its own: weight and bias of a layer are clipped apart. */
public record ParamWiseClipping() implements ClippingStyle {
  @Override
  public int[] groups(List<String> parameters) {
    return IntStream.range(0, parameters.size()).toArray();
  }
}
