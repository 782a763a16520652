/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.fastdp.rule.LayerUse;
import org.jspecify.annotations.Nullable;

/**
 * One use of a layer in a forward pass, or of a part of it with a separate input and output.
 * Samples are on the first axis, whichever axis the model has them on.
 *
 * <p>R is the number of rows on the first axis: the number of samples B, or B V where a sample is V
 * views, next to each other.
 *
 * @param path the layer's path from the root of the model
 * @param block the user's layer
 * @param part which part of the layer, such as {@code l_0_i2h}; empty for the whole
 * @param input the first input (R, ...), outside the graph; null where no rule needs it
 * @param output the place of the first output (R, ...) in the graph; its values are freed when
 *     back-propagation begins
 * @param samples the samples' own graphs of a block that runs sample by sample; null for a layer
 */
public record LayerRecord(
    String path,
    Block block,
    String part,
    @Nullable NDArray input,
    NDArray output,
    @Nullable SampleGraphs samples)
    implements LayerUse {
  /**
   * A use of a whole layer.
   *
   * @param path the layer's path
   * @param block the user's layer
   * @param input the first input, or null
   * @param output the first output
   */
  public LayerRecord(String path, Block block, @Nullable NDArray input, NDArray output) {
    this(path, block, "", input, output, null);
  }

  @Override
  public NDArray requireInput() {
    if (input == null) {
      throw new IllegalStateException("input of layer '" + path + "' was not recorded");
    }
    return input;
  }
}
