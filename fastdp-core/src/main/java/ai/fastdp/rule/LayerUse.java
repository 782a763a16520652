/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;

/**
 * One use of a layer in a forward pass, or of a part of it with a separate input and output.
 * Samples are on the first axis, whichever axis the model has them on.
 *
 * <p>R is the number of rows on the first axis: the number of samples B, or B V where a sample is V
 * views, next to each other.
 */
public interface LayerUse {
  /**
   * The layer's path from the root of the model.
   *
   * @return names of blocks, separated by slashes
   */
  String path();

  /**
   * The user's layer.
   *
   * @return the block
   */
  Block block();

  /**
   * The part of the layer that was used.
   *
   * @return its name, such as {@code l_0_i2h}; empty for the whole
   */
  String part();

  /**
   * The layer's first input, outside the graph.
   *
   * @return the input (R, ...)
   * @throws IllegalStateException if the layer's rule declared that it needs none
   */
  NDArray requireInput();
}
