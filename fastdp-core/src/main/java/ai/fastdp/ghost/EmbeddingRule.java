/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.djl.nn.core.Embedding;
import ai.djl.nn.transformer.IdEmbedding;
import ai.fastdp.hook.LayerRecord;

/** {@link Embedding} and {@link IdEmbedding}: rows of the table (V, d) by ids. */
final class EmbeddingRule implements GhostRule {
  @Override
  public boolean handles(Block layer) {
    return GhostRules.runsForwardOf(Embedding.class, layer)
        || GhostRules.runsForwardOf(IdEmbedding.class, layer);
  }

  @Override
  public boolean needsInput(Block layer) {
    return layer.getDirectParameters().valueAt(0).requiresGradient();
  }

  @Override
  public void contribute(LayerRecord use, NDArray outputGradient, PerSampleGradients gradients) {
    gradients.addRows(
        use.block().getDirectParameters().valueAt(0), use.requireInput(), outputGradient);
  }
}
