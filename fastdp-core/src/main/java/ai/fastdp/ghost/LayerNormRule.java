/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.djl.nn.norm.LayerNorm;
import ai.fastdp.hook.LayerRecord;
import java.lang.reflect.Field;
import java.util.List;

/** {@link LayerNorm}: scale from normalised inputs and output gradients, shift from the latter. */
final class LayerNormRule implements LayerRule {
  private static final Field EPSILON = epsilonField();

  @Override
  public List<Class<? extends Block>> forwards() {
    return List.of(LayerNorm.class);
  }

  @Override
  public boolean needsInput(Block layer) {
    return GhostRules.trainable(layer, "gamma").isPresent();
  }

  @Override
  public void contribute(LayerRecord use, NDArray outputGradient, Contributions gradients) {
    GhostRules.trainable(use.block(), "gamma")
        .ifPresent(
            gamma ->
                gradients.addScale(
                    gamma, use.requireInput(), outputGradient, epsilon(use.block())));
    GhostRules.trainable(use.block(), "beta")
        .ifPresent(beta -> gradients.addPositionSum(beta, outputGradient));
  }

  private static double epsilon(Block layer) {
    try {
      return EPSILON.getFloat(layer);
    } catch (IllegalAccessException e) {
      throw new LinkageError("LayerNorm.epsilon is not accessible", e);
    }
  }

  private static Field epsilonField() {
    try {
      Field field = LayerNorm.class.getDeclaredField("epsilon");
      field.setAccessible(true);
      return field;
    } catch (NoSuchFieldException e) {
      throw new LinkageError("this version of DJL keeps LayerNorm's epsilon elsewhere", e);
    }
  }
}
