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
 * <p>Public because rules and errors speak of layers by their hooks.
 */
public final class LayerHook implements BlockHook {
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

  /** {@inheritDoc} Where a recording is under way on this thread, it is recorded. */
  @Override
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
      return recorder.cut(path, recorded.run(this, recorder, twin, call));
    } finally {
      recorder.leave(outer);
    }
  }

  RecordedForward recorded() {
    return recorded;
  }
}
