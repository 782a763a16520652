/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.step;

import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.fastdp.internal.hook.HookedModel.Located;
import ai.fastdp.internal.pass.TrainableParameters;
import java.util.Collection;
import java.util.IdentityHashMap;

/**
 * The smallest sets of clipping groups that can be clipped, summed and released on their own: two
 * groups are in one unit where a layer has parameters in both.
 *
 * <p>A table shared by layers brings them into one unit, which is complete when the first of its
 * uses has been reached on the way back.
 */
public final class ReleaseUnits {
  private final IdentityHashMap<Block, Integer> units = new IdentityHashMap<>();
  private final int[] parents;

  /**
   * @param groups the clipping group of each trainable parameter
   */
  public ReleaseUnits(TrainableParameters trainable, int[] groups) {
    parents = new int[groups.length];
    for (int g = 0; g < parents.length; g++) {
      parents[g] = g;
    }
    for (Located layer : trainable.layers()) {
      join(layer.block(), layer.block().getDirectParameters().values(), trainable, groups);
    }
    for (Located whole : trainable.sampleBySample()) {
      join(whole.block(), whole.block().getParameters().values(), trainable, groups);
    }
  }

  private void join(
      Block block, Collection<Parameter> parameters, TrainableParameters trainable, int[] groups) {
    int first = -1;
    for (Parameter parameter : parameters) {
      if (!parameter.requiresGradient()) {
        continue;
      }
      int group = groups[trainable.number(parameter)];
      if (first >= 0) {
        parents[root(group)] = root(first);
      }
      first = group;
    }
    units.put(block, first);
  }

  private int root(int group) {
    int root = group;
    while (parents[root] != root) {
      root = parents[root];
    }
    return root;
  }

  /** Returns the number of the unit that holds a group. */
  int ofGroup(int group) {
    return root(group);
  }

  /** Returns the number of the unit to which all trainable parameters of a layer belong. */
  int of(Block layer) {
    Integer group = units.get(layer);
    if (group == null) {
      throw new IllegalStateException(
          "layer must have been hooked when the engine was attached, got "
              + layer.getClass().getName());
    }
    return root(group);
  }

  /** Returns whether there are several units, so that one can be released before another. */
  public boolean areSeveral() {
    return units.values().stream().mapToInt(this::root).distinct().count() > 1;
  }
}
