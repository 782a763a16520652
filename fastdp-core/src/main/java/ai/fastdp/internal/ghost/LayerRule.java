/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.ghost;

import ai.djl.nn.Block;
import ai.fastdp.rule.GhostRule;
import java.util.List;

/** A rule that ships with the library, for the classes that run the forward functions it knows. */
interface LayerRule extends GhostRule {
  /** The classes that declare these forward functions. */
  List<Class<? extends Block>> forwards();

  /** Returns whether a layer's formed gradients can be much smaller than their factors. */
  default boolean shrinks(Block layer) {
    return false;
  }
}
