/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;

/**
 * The rule of a block all of whose own parameters are added to its output, broadcast over samples
 * and wherever their shapes say so: positions, tokens, shifts.
 *
 * <p>\(y_b = f(x_b) + \sum_k p_k\) gives \(\partial L_b / \partial p_k = \sum \partial L_b /
 * \partial y_b\) over the axes along which \(p_k\) was broadcast; axes are aligned from the last,
 * as in DJL's addition. A first axis of 1 for the samples may be part of the parameter's shape.
 */
public final class BroadcastRule implements GhostRule {
  /** Creates the rule. */
  public BroadcastRule() {}

  @Override
  public boolean needsInput(Block layer) {
    return false;
  }

  @Override
  public void contribute(LayerUse use, NDArray outputGradient, Contributions gradients) {
    for (Parameter parameter : use.block().getDirectParameters().values()) {
      if (parameter.requiresGradient()) {
        gradients.addBroadcast(parameter, outputGradient);
      }
    }
  }
}
