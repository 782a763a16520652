/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.djl.nn.core.Embedding;
import ai.djl.nn.transformer.IdEmbedding;
import ai.fastdp.rule.Contributions;
import ai.fastdp.rule.LayerUse;
import java.util.List;

/** {@link Embedding} and {@link IdEmbedding}: rows of the table (V, d) by ids. */
final class EmbeddingRule implements LayerRule {
  @Override
  public List<Class<? extends Block>> forwards() {
    return List.of(Embedding.class, IdEmbedding.class);
  }

  @Override
  public boolean needsInput(Block layer) {
    return layer.getDirectParameters().valueAt(0).requiresGradient();
  }

  @Override
  public void contribute(LayerUse use, NDArray outputGradient, Contributions gradients) {
    gradients.addRows(
        use.block().getDirectParameters().valueAt(0), use.requireInput(), outputGradient);
  }
}
