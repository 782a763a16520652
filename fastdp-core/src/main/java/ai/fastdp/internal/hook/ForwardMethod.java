/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

import ai.djl.ndarray.NDList;
import ai.djl.nn.AbstractBaseBlock;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.lang.reflect.Method;

/** Finds the forward function that a block runs: that of the most derived class to declare one. */
public final class ForwardMethod {
  private ForwardMethod() {}

  /**
   * Finds the method that a block of a class runs on its inputs.
   *
   * @param block a class of blocks that extends {@link AbstractBaseBlock}
   * @return {@code forwardInternal(ParameterStore, NDList, boolean, PairList)}
   */
  public static Method of(Class<?> block) {
    return mostDerived(block, ParameterStore.class, NDList.class, boolean.class, PairList.class);
  }

  /**
   * Finds the method that a block of a class runs on data and labels.
   *
   * @param block a class of blocks that extends {@link AbstractBaseBlock}
   * @return {@code forwardInternal(ParameterStore, NDList, NDList, PairList)}
   */
  public static Method withLabels(Class<?> block) {
    return mostDerived(block, ParameterStore.class, NDList.class, NDList.class, PairList.class);
  }

  private static Method mostDerived(Class<?> block, Class<?>... parameters) {
    for (Class<?> c = block; c != null; c = c.getSuperclass()) {
      try {
        return c.getDeclaredMethod("forwardInternal", parameters);
      } catch (NoSuchMethodException e) {
        // Declared further up.
      }
    }
    throw new IllegalArgumentException(
        "block must extend " + AbstractBaseBlock.class.getName() + ", got " + block.getName());
  }
}
