/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.validation;

import ai.djl.nn.Block;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.nn.norm.GhostBatchNorm;
import ai.fastdp.internal.hook.BlockReplacer;
import ai.fastdp.internal.hook.HookedModel.Located;
import ai.fastdp.nn.GroupNorm;

/** What to do about a BatchNorm: what is advised works when it is done. */
final class BatchNormRemedy {
  /** What to do where nothing can take its place. */
  static final String ANEW =
      "build the block that holds it anew with LayerNorm or GroupNorm in its place (a transformer"
          + " block of ScaledDotProductAttentionBlock, Linear and LayerNorm, as DJL's own cannot be"
          + " changed)";

  private final Block root;
  private final Located located;

  BatchNormRemedy(Block root, Located located) {
    this.root = root;
    this.located = located;
  }

  /** The remedy as it stands in a problem. */
  String text() {
    BatchNorm norm = (BatchNorm) located.block();
    if (norm == root) {
      return "it is the whole model: " + ANEW;
    }
    if (!isDjls(norm)) {
      return "what a subclass computes is not known: " + ANEW;
    }
    if (BatchNormTraits.axis(norm) != 1) {
      return "GroupNorm cannot replace it, whose channels are on axis "
          + BatchNormTraits.axis(norm)
          + ": "
          + ANEW;
    }
    return BlockReplacer.narrowPlace(root, norm, GroupNorm.class)
            .map(place -> "declare " + place + " as " + Block.class.getName() + ", then ")
            .orElse("")
        + "replace it by GroupNorm, as ModelValidator.fix does, or fix the statistics that it was"
        + " trained with, as ModelValidator.freezeStatistics does";
  }

  /** Whether a BatchNorm is of a class whose forward function is known. */
  static boolean isDjls(BatchNorm norm) {
    return norm.getClass() == BatchNorm.class || norm.getClass() == GhostBatchNorm.class;
  }
}
