/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

import ai.djl.ndarray.NDList;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import org.jspecify.annotations.Nullable;

/**
 * Gives a twin's hook access to the forward functions of the layer whose place the twin takes.
 *
 * <p>Implemented by generated classes only; public because they live in the layer's package.
 */
public interface HookedBlock {
  /**
   * Runs the layer's own forward function.
   *
   * @param parameterStore the store that the layer reads its parameters from
   * @param inputs the layer's inputs
   * @param training whether dropout and the like are active
   * @param params optional parameters of the call
   * @return the layer's outputs
   */
  NDList fastdpForward(
      ParameterStore parameterStore,
      NDList inputs,
      boolean training,
      @Nullable PairList<String, Object> params);

  /**
   * Runs the layer's own forward function of data and labels.
   *
   * @param parameterStore the store that the layer reads its parameters from
   * @param data the layer's inputs
   * @param labels the labels
   * @param params optional parameters of the call
   * @return the layer's outputs
   */
  NDList fastdpForward(
      ParameterStore parameterStore,
      NDList data,
      NDList labels,
      @Nullable PairList<String, Object> params);
}
