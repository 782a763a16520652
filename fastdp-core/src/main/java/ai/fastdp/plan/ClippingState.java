/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.plan;

/**
 * What clipping has learned from private answers so far: a checkpoint keeps it beside the weights,
 * the optimizer's state and the number of steps.
 *
 * <p>It is a function of released answers alone and as private as the weights.
 *
 * @param clipNorm the clip norm R of the next step
 */
public record ClippingState(double clipNorm) {
  /**
   * Validates the clip norm.
   *
   * @param clipNorm finite and greater than 0
   * @throws IllegalArgumentException if it is not finite and greater than 0
   */
  public ClippingState {
    if (!(clipNorm > 0) || clipNorm == Double.POSITIVE_INFINITY) {
      throw new IllegalArgumentException("clipNorm must be finite and > 0, got " + clipNorm);
    }
  }
}
