/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.hook;

import ai.djl.ndarray.NDList;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import org.jspecify.annotations.Nullable;

/**
 * One hooked layer: its path, its twin, and what happens around the twin's forward function.
 *
 * <p>Public because generated twins in other packages call {@link #forward}.
 */
public final class LayerHook {
  private final String path;
  private final Block original;
  private final ForwardRecorder recorder;
  private final RecordedForward recorded;

  LayerHook(String path, Block original, ForwardRecorder recorder, RecordedForward recorded) {
    this.path = path;
    this.original = original;
    this.recorder = recorder;
    this.recorded = recorded;
  }

  /**
   * The layer's path from the root of the model, names of children joined by slashes.
   *
   * @return the path
   */
  public String path() {
    return path;
  }

  /**
   * The user's own layer, whose place the twin has taken.
   *
   * @return the layer
   */
  public Block block() {
    return original;
  }

  /**
   * Runs the layer and, where a recording is under way on this thread, records it.
   *
   * @param twin the generated twin
   * @param parameterStore where the layer reads its parameters
   * @param inputs the layer's inputs
   * @param training whether dropout and the like are active
   * @param params optional parameters of the call
   * @return what the model goes on with
   */
  public NDList forward(
      HookedBlock twin,
      ParameterStore parameterStore,
      NDList inputs,
      boolean training,
      @Nullable PairList<String, Object> params) {
    RecordedForward.Call call = new RecordedForward.Call(parameterStore, inputs, training, params);
    if (!recorder.isRecording()) {
      return recorded.runUnrecorded(this, recorder, twin, call);
    }
    LayerHook outer = recorder.enter(this);
    try {
      return recorded.run(this, recorder, twin, call);
    } finally {
      recorder.leave(outer);
    }
  }

  RecordedForward recorded() {
    return recorded;
  }
}
