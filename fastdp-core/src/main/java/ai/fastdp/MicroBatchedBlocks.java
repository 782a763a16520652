/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.fastdp.hook.HookedModel;
import ai.fastdp.hook.HookedModel.Located;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** The blocks that the user has named to run sample by sample, with all that they hold. */
final class MicroBatchedBlocks {
  private final List<Located> named = new ArrayList<>();
  private final Set<Block> covered = Collections.newSetFromMap(new IdentityHashMap<>());

  /**
   * Finds the blocks.
   *
   * @param blocks the model's blocks
   * @param paths the paths that were named
   * @param problems takes what is wrong with them
   */
  MicroBatchedBlocks(List<Located> blocks, Collection<String> paths, List<String> problems) {
    for (String path : new LinkedHashSet<>(paths)) {
      blocks.stream()
          .filter(located -> located.path().equals(path))
          .findFirst()
          .ifPresentOrElse(
              located -> add(located, problems),
              () ->
                  problems.add(
                      "optMicroBatched must name blocks of the model, got '"
                          + path
                          + "'; the paths are "
                          + blocks.stream().map(Located::path).toList()));
    }
    requireOwnParameters(blocks, problems);
  }

  List<Located> blocks() {
    return Collections.unmodifiableList(named);
  }

  /** Whether a block is one of them or inside one. */
  boolean covers(Block block) {
    return covered.contains(block);
  }

  private void add(Located located, List<String> problems) {
    List<Located> tree = HookedModel.walk(located.block());
    if (tree.stream().anyMatch(part -> covered.contains(part.block()))) {
      problems.add(name(located) + " shares blocks with another one; name the outer one alone");
      return;
    }
    if (located.block().getParameters().values().stream().noneMatch(Parameter::requiresGradient)) {
      problems.add(name(located) + " has no trainable parameter; leave it out");
      return;
    }
    named.add(located);
    tree.forEach(part -> covered.add(part.block()));
  }

  /** A parameter shared with a layer outside would have two kinds of gradients. */
  private void requireOwnParameters(List<Located> blocks, List<String> problems) {
    Set<Parameter> inside = Collections.newSetFromMap(new IdentityHashMap<>());
    for (Located located : named) {
      for (Parameter parameter : new LinkedHashSet<>(located.block().getParameters().values())) {
        if (parameter.requiresGradient() && !inside.add(parameter)) {
          problems.add(
              name(located) + " shares parameter '" + parameter.getName() + "' with another one");
        }
      }
    }
    for (Located located : blocks) {
      for (Parameter parameter : located.block().getDirectParameters().values()) {
        if (!covered.contains(located.block()) && inside.contains(parameter)) {
          problems.add(
              "layer '"
                  + located.path()
                  + "' shares parameter '"
                  + parameter.getName()
                  + "' with a block that runs sample by sample; name a block that holds both");
        }
      }
    }
  }

  private static String name(Located located) {
    return "block '"
        + located.path()
        + "' ("
        + located.block().getClass().getName()
        + ") named in optMicroBatched";
  }
}
