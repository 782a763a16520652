/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

import ai.djl.ndarray.NDList;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import org.jspecify.annotations.Nullable;

/**
 * Runs the forward function of a block whose place a twin has taken.
 *
 * <p>Public because generated twins in other packages call {@link #forward}.
 */
public interface BlockHook {
  /**
   * Runs the block.
   *
   * @param twin the generated twin
   * @param parameterStore the store that the block reads its parameters from
   * @param inputs the block's inputs
   * @param training whether dropout and the like are active
   * @param params optional parameters of the call
   * @return the outputs that the model must use
   */
  NDList forward(
      HookedBlock twin,
      ParameterStore parameterStore,
      NDList inputs,
      boolean training,
      @Nullable PairList<String, Object> params);

  /**
   * Runs the block on data and labels. Its other forward function may run inside, by way of the
   * hook.
   *
   * @param twin the generated twin
   * @param parameterStore the store that the block reads its parameters from
   * @param data the block's inputs
   * @param labels the labels
   * @param params optional parameters of the call
   * @return the outputs that the model must use
   */
  default NDList forward(
      HookedBlock twin,
      ParameterStore parameterStore,
      NDList data,
      NDList labels,
      @Nullable PairList<String, Object> params) {
    return twin.fastdpForward(parameterStore, data, labels, params);
  }
}
