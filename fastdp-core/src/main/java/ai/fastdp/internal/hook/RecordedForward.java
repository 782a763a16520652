/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

import ai.djl.ndarray.NDList;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import org.jspecify.annotations.Nullable;

/** Runs a hooked block while it is recorded. */
interface RecordedForward {
  /** The layer's own forward function, recorded from its first input to its first output. */
  RecordedForward OWN =
      (hook, recording, layer, call) -> recording.addLayer(hook, call.inputs(), call.run(layer));

  /** Runs the block and records what its gradients need. */
  NDList run(LayerHook hook, Recording recording, HookedBlock layer, Call call);

  /** Returns whether a parameter may be read while the block runs. */
  default boolean owns(Block block, Parameter parameter) {
    return block.getDirectParameters().values().stream().anyMatch(p -> p == parameter);
  }

  /** Returns whether the parameters are in the graph while the block runs. */
  default boolean differentiatesParameters() {
    return false;
  }

  /** Returns whether a call with labels is recorded as one use, not by the layers inside. */
  default boolean takesLabels() {
    return false;
  }

  /**
   * The arguments of a call of a block's forward function, of those with labels or of the other.
   */
  record Call(
      ParameterStore store,
      NDList inputs,
      @Nullable NDList labels,
      boolean training,
      @Nullable PairList<String, Object> params) {

    NDList run(HookedBlock layer) {
      return labels == null
          ? layer.fastdpForward(store, inputs, training, params)
          : layer.fastdpForward(store, inputs, labels, params);
    }

    Call with(NDList otherInputs, @Nullable NDList otherLabels) {
      return new Call(store, otherInputs, otherLabels, training, params);
    }
  }
}
