/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.clipping;

import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The user's grouping of layers.
 *
 * <p>A path stands for the layer or block of that path and all layers below it. Every trainable
 * parameter must be in exactly one group, and every path must stand for some.
 *
 * @param layers for each group the paths of its layers or blocks
 */
public record GroupWiseClipping(List<List<String>> layers) implements ClippingStyle {
  /**
   * Validates and copies the groups.
   *
   * @param layers at least one group, none empty, no path twice
   * @throws IllegalArgumentException if that does not hold
   */
  public GroupWiseClipping {
    layers = layers.stream().map(List::copyOf).toList();
    if (layers.isEmpty() || layers.stream().anyMatch(List::isEmpty)) {
      throw new IllegalArgumentException("groups must have at least one path each, got " + layers);
    }
    Set<String> seen = new HashSet<>();
    for (List<String> group : layers) {
      for (String path : group) {
        if (!seen.add(path)) {
          throw new IllegalArgumentException(
              "groups must name a path once, got '" + path + "' twice");
        }
      }
    }
  }

  @Override
  public int[] groups(List<String> parameters) {
    Set<String> unused = new HashSet<>();
    layers.forEach(unused::addAll);
    int[] groups = new int[parameters.size()];
    for (int k = 0; k < groups.length; k++) {
      groups[k] = group(parameters.get(k), unused);
    }
    if (!unused.isEmpty()) {
      throw new IllegalArgumentException(
          "groups must name layers with trainable parameters, got "
              + unused.stream().sorted().toList()
              + " without any; the trainable parameters are "
              + parameters);
    }
    return groups;
  }

  private int group(String parameter, Set<String> unused) {
    int found = -1;
    for (int m = 0; m < layers.size(); m++) {
      for (String path : layers.get(m)) {
        if (!parameter.startsWith(path + "/")) {
          continue;
        }
        if (found >= 0) {
          throw new IllegalArgumentException(
              "groups must hold each trainable parameter once, got '"
                  + parameter
                  + "' in two of them or twice; name paths that do not contain each other");
        }
        unused.remove(path);
        found = m;
      }
    }
    if (found < 0) {
      throw new IllegalArgumentException(
          "groups must hold every trainable parameter, got '"
              + parameter
              + "' in none; add the path of its layer '"
              + LayerPaths.of(parameter)
              + "', or freeze it");
    }
    return found;
  }
}
