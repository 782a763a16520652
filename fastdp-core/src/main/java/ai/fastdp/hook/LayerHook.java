/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.hook;

import ai.djl.engine.EngineException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
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
  private final LayerInput input;

  LayerHook(String path, Block original, ForwardRecorder recorder, RecordedForward recorded) {
    this.path = path;
    this.original = original;
    this.recorder = recorder;
    this.recorded = recorded;
    input = new LayerInput(path, original);
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
    return run(twin, new RecordedForward.Call(parameterStore, inputs, null, training, params));
  }

  /** {@inheritDoc} It is not recorded as such, unless the whole block runs sample by sample. */
  @Override
  public NDList forward(
      HookedBlock twin,
      ParameterStore parameterStore,
      NDList data,
      NDList labels,
      @Nullable PairList<String, Object> params) {
    RecordedForward.Call call =
        new RecordedForward.Call(parameterStore, data, labels, true, params);
    return recorded.takesLabels() ? run(twin, call) : call.run(twin);
  }

  private NDList run(HookedBlock twin, RecordedForward.Call call) {
    // A block's function of data and labels may call the other one, on the same sample.
    boolean again = recorder.isRecording() && recorded.takesLabels() && recorder.isInside(this);
    if (!recorder.isRecording()) {
      if (call.training() && isTrainable()) {
        recorder.requireNoGraph(path);
      }
      return call.run(twin);
    }
    if (again) {
      return call.run(twin);
    }
    LayerHook outer = recorder.enter(this);
    try {
      return recorder.cut(path, recordedRun(twin, call));
    } finally {
      recorder.leave(outer);
    }
  }

  private NDList recordedRun(HookedBlock twin, RecordedForward.Call call) {
    if (call.inputs().isEmpty()) {
      return recorded.run(this, recorder, twin, call);
    }
    NDArray first = call.inputs().head();
    input.require(first);
    try {
      return recorded.run(this, recorder, twin, call);
    } catch (EngineException e) {
      throw input.explained(first, e);
    }
  }

  /** What the layer asks of its first input. */
  LayerInput input() {
    return input;
  }

  private boolean isTrainable() {
    return original.getParameters().values().stream().anyMatch(Parameter::requiresGradient);
  }

  RecordedForward recorded() {
    return recorded;
  }
}
