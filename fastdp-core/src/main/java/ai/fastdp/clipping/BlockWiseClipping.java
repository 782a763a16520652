/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.clipping;

import java.util.Arrays;
import java.util.List;

/**
 * Consecutive layers in groups of equal depth: of L layers in the order of the model's tree, the
 * l-th (from 0) is in group \(\lfloor l K / L \rfloor\).
 *
 * @param blocks the number of groups K, at least 1 and at most L
 */
public record BlockWiseClipping(int blocks) implements ClippingStyle {
  /**
   * Validates the number.
   *
   * @param blocks at least 1
   * @throws IllegalArgumentException if it is less
   */
  public BlockWiseClipping {
    if (blocks < 1) {
      throw new IllegalArgumentException("blocks must be >= 1, got " + blocks);
    }
  }

  @Override
  public int[] groups(List<String> parameters) {
    int[] layers = LayerPaths.numbers(parameters);
    int count = Arrays.stream(layers).max().orElse(-1) + 1;
    if (blocks > count) {
      throw new IllegalArgumentException(
          "blocks must be <= the number of trainable layers, "
              + count
              + ", got "
              + blocks
              + "; use layer-wise clipping for one group each");
    }
    return Arrays.stream(layers).map(l -> (int) ((long) l * blocks / count)).toArray();
  }
}
