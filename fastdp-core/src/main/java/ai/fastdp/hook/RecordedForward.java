/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.hook;

import ai.djl.ndarray.NDList;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import org.jspecify.annotations.Nullable;

/** How a hooked block runs while it is recorded. */
interface RecordedForward {
  /** The layer's own forward function, recorded from its first input to its first output. */
  RecordedForward OWN =
      (hook, recording, layer, call) -> recording.addLayer(hook, call.inputs(), call.run(layer));

  /** Runs the block and records what its gradients need. */
  NDList run(LayerHook hook, Recording recording, HookedBlock layer, Call call);

  /** Whether a parameter may be read while the block runs. */
  default boolean owns(Block block, Parameter parameter) {
    return block.getDirectParameters().values().stream().anyMatch(p -> p == parameter);
  }

  /** Whether the parameters are in the graph while the block runs. */
  default boolean differentiatesParameters() {
    return false;
  }

  /** Whether a call with labels is recorded as one, not by what runs inside it. */
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
