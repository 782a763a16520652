/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

import ai.djl.nn.Block;
import ai.djl.nn.SequentialBlock;
import ai.fastdp.internal.hook.HookedModel.Located;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.function.Function;

/**
 * The blocks at whose outputs a model's graph may be cut: the children that hold trainable layers
 * of the outermost block with more than one of them, and inside plain sequences their children.
 *
 * <p>No candidate lies inside another. A trial run of the model shows whether a cut saves memory
 * and whether anything bypasses it.
 */
final class CutCandidates {
  private final Set<Block> layers = Collections.newSetFromMap(new IdentityHashMap<>());
  private final List<Block> found = new ArrayList<>();

  private CutCandidates(List<Located> layers) {
    layers.forEach(layer -> this.layers.add(layer.block()));
  }

  static List<Located> of(Block root, List<Located> layers, Function<Block, String> paths) {
    CutCandidates candidates = new CutCandidates(layers);
    candidates.collect(candidates.unwrapped(root));
    return candidates.found.stream().map(b -> new Located(paths.apply(b), b)).toList();
  }

  /** The outermost block with more than one child that holds layers. */
  private Block unwrapped(Block root) {
    Block block = root;
    List<Block> holders = holders(block);
    while (holders.size() == 1 && !layers.contains(holders.get(0))) {
      block = holders.get(0);
      holders = holders(block);
    }
    return block;
  }

  private void collect(Block block) {
    for (Block child : holders(block)) {
      if (isPlainSequence(child)) {
        collect(child);
      } else if (!found.contains(child)) {
        found.add(child);
      }
    }
  }

  private static boolean isPlainSequence(Block block) {
    Class<?> type =
        block instanceof HookedBlock ? block.getClass().getSuperclass() : block.getClass();
    return type == SequentialBlock.class;
  }

  private List<Block> holders(Block block) {
    return block.getChildren().values().stream().filter(this::holdsLayers).toList();
  }

  private boolean holdsLayers(Block block) {
    return layers.contains(block)
        || block.getChildren().values().stream().anyMatch(this::holdsLayers);
  }
}
