/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.clipping;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The layers in a list of parameters' paths. */
final class LayerPaths {
  private LayerPaths() {}

  /** The path of the layer that owns a parameter. */
  static String of(String parameter) {
    return parameter.substring(0, Math.max(0, parameter.lastIndexOf('/')));
  }

  /** For each parameter the number of its layer, in the order in which the layers appear. */
  static int[] numbers(List<String> parameters) {
    Map<String, Integer> numbers = new HashMap<>();
    return parameters.stream()
        .mapToInt(parameter -> numbers.merge(of(parameter), numbers.size(), (known, next) -> known))
        .toArray();
  }
}
