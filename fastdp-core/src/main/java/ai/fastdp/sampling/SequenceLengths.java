/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

/**
 * The public lengths to which the sequences of every sample are padded or cut.
 *
 * @param data the length in data
 * @param labels the length in labels
 */
public record SequenceLengths(long data, long labels) {
  /**
   * Validates the lengths.
   *
   * @param data at least 1
   * @param labels at least 1
   * @throws IllegalArgumentException if one is below 1
   */
  public SequenceLengths {
    if (data < 1 || labels < 1) {
      throw new IllegalArgumentException(
          "padded lengths must be >= 1, got "
              + data
              + " and "
              + labels
              + "; choose what most samples fit in, without looking at the private data");
    }
  }
}
