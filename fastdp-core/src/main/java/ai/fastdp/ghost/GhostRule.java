/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.fastdp.hook.LayerRecord;

/** Knows one kind of layer: how its parameters' per-sample gradients follow from a recorded use. */
interface GhostRule {
  /** Whether this rule is exact for a layer: its class runs the forward function the rule knows. */
  boolean handles(Block layer);

  /** Whether the layer's input is needed for the gradients of its trainable parameters. */
  boolean needsInput(Block layer);

  /**
   * Adds the contributions of one use of a layer.
   *
   * @param use the recorded use
   * @param outputGradient (B, ...) gradient of the sum of per-sample losses by the layer's output
   * @param gradients takes a contribution for each trainable parameter of the layer
   */
  void contribute(LayerRecord use, NDArray outputGradient, PerSampleGradients gradients);
}
