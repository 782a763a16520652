/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

/**
 * How much of a source's noise has been used up. Numbers that were drawn ahead and not used are not
 * counted.
 *
 * @param chunks the number of chunks for gradients
 * @param singles the number of single numbers
 */
public record NoisePosition(long chunks, long singles) {
  /**
   * Checks both.
   *
   * @param chunks at least 0
   * @param singles at least 0
   * @throws IllegalArgumentException if one is negative
   */
  public NoisePosition {
    if (chunks < 0 || singles < 0) {
      throw new IllegalArgumentException(
          "chunks and singles must be >= 0, got " + chunks + " and " + singles);
    }
  }

  /** Refuses to go to a position once noise has been drawn. */
  static void requireUnused(boolean drawn) {
    if (drawn) {
      throw new IllegalStateException(
          "noise must be skipped before any is drawn, got a mechanism in use; make a new one");
    }
  }
}
