/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.hook;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import org.jspecify.annotations.Nullable;

/**
 * One use of a layer in a forward pass.
 *
 * <p>R is the number of rows on the first axis: the number of samples B, or B V where a sample is V
 * views, next to each other.
 *
 * @param path the layer's path from the root of the model
 * @param block the user's layer
 * @param input the layer's first input (R, ...), outside the graph; null where no rule needs it
 * @param output the layer's first output (R, ...), in the graph
 */
public record LayerRecord(String path, Block block, @Nullable NDArray input, NDArray output) {
  /**
   * The layer's input.
   *
   * @return the input (R, ...)
   * @throws IllegalStateException if the layer's rule had declared that it needs none
   */
  public NDArray requireInput() {
    if (input == null) {
      throw new IllegalStateException("input of layer '" + path + "' was not recorded");
    }
    return input;
  }
}
