/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;

/**
 * Computes the per-sample gradients of one kind of layer from a recorded use.
 *
 * <p>A block with direct parameters ({@code addParameter}) trains privately with a rule for its
 * class, given to the engine:
 *
 * <pre>{@code
 * // y = x * scale, for inputs (B, T, d) and a scale (d)
 * GhostRule rule =
 *     (use, outputGradient, gradients) ->
 *         gradients.addDense(
 *             use.block().getDirectParameters().get("scale"),
 *             use.requireInput().mul(outputGradient).sum(new int[] {1}));
 * PrivacyEngine.builder(plan).addRule(ScaleBlock.class, rule)
 * }</pre>
 *
 * <p>The rule is trusted: a contribution that is too small is clipped too little. The engine's
 * self-check compares it with back-propagation on the first batch, and refuses a rule that differs;
 * keep it on, and test the rule on the shapes that you use.
 *
 * <p>The layer must have one output that is differentiated; a rule sees the first input.
 */
@FunctionalInterface
public interface GhostRule {
  /**
   * Returns whether the gradients of the layer's trainable parameters need its input. Inputs that
   * are not needed are not kept, which saves memory.
   *
   * @param layer a layer of the rule's kind
   * @return true unless output gradients are enough
   */
  default boolean needsInput(Block layer) {
    return true;
  }

  /**
   * Adds the contributions of one use of a layer, one or several for each of its trainable
   * parameters. A layer that runs twice is contributed twice; its contributions add up.
   *
   * @param use the recorded use: the layer and its first input, samples on the first axis
   * @param outputGradient (B, ...) gradient of the sum of per-sample losses by the layer's output
   * @param gradients takes the contributions; the arrays passed to it belong to it from then on
   */
  void contribute(LayerUse use, NDArray outputGradient, Contributions gradients);
}
