/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.validation;

import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.fastdp.internal.hook.HookedModel;
import ai.fastdp.internal.hook.HookedModel.Located;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** The blocks that the user has named to run sample by sample, with all that they hold. */
public final class SampleBySampleBlocks {
  private final List<Located> named = new ArrayList<>();
  private final Set<Block> covered = Collections.newSetFromMap(new IdentityHashMap<>());
  private final List<ModelProblem> problems = new ArrayList<>();

  /**
   * Finds the blocks.
   *
   * @param blocks the model's blocks
   * @param paths the paths that were named
   */
  public SampleBySampleBlocks(List<Located> blocks, Collection<String> paths) {
    for (String path : new LinkedHashSet<>(paths)) {
      blocks.stream()
          .filter(located -> located.path().equals(path))
          .findFirst()
          .ifPresentOrElse(
              this::add,
              () ->
                  problems.add(
                      new ModelProblem(
                          path,
                          "no block",
                          "is named in optSampleBySample and not in the model",
                          "the paths are " + blocks.stream().map(Located::path).toList())));
    }
    requireOwnParameters(blocks);
  }

  /**
   * What is wrong with them.
   *
   * @return the problems; empty if they can run sample by sample
   */
  public List<ModelProblem> problems() {
    return Collections.unmodifiableList(problems);
  }

  /**
   * The blocks that were named.
   *
   * @return the outermost blocks
   */
  public List<Located> blocks() {
    return Collections.unmodifiableList(named);
  }

  /**
   * Whether a block is one of them or inside one.
   *
   * @param block a block of the model
   * @return true if it runs sample by sample
   */
  public boolean covers(Block block) {
    return covered.contains(block);
  }

  private void add(Located located) {
    List<Located> tree = HookedModel.walk(located.block());
    if (tree.stream().anyMatch(part -> covered.contains(part.block()))) {
      problems.add(problem(located, "shares blocks with another one", "name the outer one alone"));
      return;
    }
    if (located.block().getParameters().values().stream().noneMatch(Parameter::requiresGradient)) {
      problems.add(problem(located, "has no trainable parameter", "leave it out"));
      return;
    }
    named.add(located);
    tree.forEach(part -> covered.add(part.block()));
  }

  /** A parameter shared with a layer outside would have two kinds of gradients. */
  private void requireOwnParameters(List<Located> blocks) {
    Set<Parameter> inside = Collections.newSetFromMap(new IdentityHashMap<>());
    for (Located located : named) {
      for (Parameter parameter : new LinkedHashSet<>(located.block().getParameters().values())) {
        if (parameter.requiresGradient() && !inside.add(parameter)) {
          problems.add(
              problem(
                  located,
                  "shares parameter '" + parameter.getName() + "' with another one",
                  "name a block that holds both"));
        }
      }
    }
    for (Located located : blocks) {
      for (Parameter parameter : located.block().getDirectParameters().values()) {
        if (!covered.contains(located.block()) && inside.contains(parameter)) {
          problems.add(
              new ModelProblem(
                  located.path(),
                  located.block().getClass().getName(),
                  "shares parameter '"
                      + parameter.getName()
                      + "' with a block that runs sample by sample",
                  "name a block that holds both"));
        }
      }
    }
  }

  private static ModelProblem problem(Located located, String problem, String remedy) {
    return new ModelProblem(
        located.path(),
        located.block().getClass().getName(),
        "named in optSampleBySample " + problem,
        remedy);
  }
}
