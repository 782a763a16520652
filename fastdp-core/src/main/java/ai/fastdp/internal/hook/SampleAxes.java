/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

import ai.fastdp.internal.hook.HookedModel.Located;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The sample axes of a model's arrays: of a batch's data, of its labels, and of the inputs and
 * outputs of hooked layers.
 */
public final class SampleAxes {
  private final SampleAxis data;
  private final SampleAxis labels;
  private final SampleAxis layers;
  private final Map<String, SampleAxis> ofPaths;

  /**
   * Declares the axes.
   *
   * @param data the axis in every array of a batch's data
   * @param labels the axis in every array of a batch's labels
   * @param layers the axis in the inputs and outputs of layers
   * @param ofPaths the axis where it is another one, by the path of a layer or of a block that
   *     holds layers; the longest path counts
   */
  public SampleAxes(
      SampleAxis data, SampleAxis labels, SampleAxis layers, Map<String, SampleAxis> ofPaths) {
    this.data = data;
    this.labels = labels;
    this.layers = layers;
    this.ofPaths = new LinkedHashMap<>(ofPaths);
  }

  /** {@return axes with the samples first in all arrays} */
  public static SampleAxes first() {
    return new SampleAxes(SampleAxis.FIRST, SampleAxis.FIRST, SampleAxis.FIRST, Map.of());
  }

  /** {@return the axis in a batch's data} */
  public SampleAxis data() {
    return data;
  }

  /** {@return the axis in a batch's labels} */
  public SampleAxis labels() {
    return labels;
  }

  /**
   * Checks that every declared path leads to a block.
   *
   * @param blocks the model's blocks
   * @throws IllegalArgumentException naming a path that leads nowhere
   */
  public void requirePaths(List<Located> blocks) {
    for (String path : ofPaths.keySet()) {
      if (blocks.stream().noneMatch(located -> located.path().equals(path))) {
        throw new IllegalArgumentException(
            "sample axis must be declared for a block of the model, got path '"
                + path
                + "'; the paths are "
                + blocks.stream().map(Located::path).toList());
      }
    }
  }

  /** The axis in a layer's inputs and outputs. */
  SampleAxis of(String path) {
    String best = null;
    for (String declared : ofPaths.keySet()) {
      boolean within = path.equals(declared) || path.startsWith(declared + "/");
      if (within && (best == null || declared.length() > best.length())) {
        best = declared;
      }
    }
    return best == null ? layers : ofPaths.getOrDefault(best, layers);
  }
}
