/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

import ai.djl.engine.EngineException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import org.jspecify.annotations.Nullable;

/**
 * Runs one hooked layer and, in a recorded pass, records it.
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
    Recording recording = recorder.current();
    if (recording == null) {
      if (call.training() && isTrainable()) {
        ForwardRecorder.requireNoGraph(path);
      }
      return call.run(twin);
    }
    if (recorded.takesLabels() && recording.inside() == this) {
      // A block's function of data and labels may call the other one, on the same sample.
      return call.run(twin);
    }
    LayerHook outer = recording.enter(this);
    try {
      return recording.cut(path, recordedRun(recording, twin, call));
    } finally {
      recording.leave(outer);
    }
  }

  private NDList recordedRun(Recording recording, HookedBlock twin, RecordedForward.Call call) {
    if (call.inputs().isEmpty()) {
      return recorded.run(this, recording, twin, call);
    }
    NDArray first = call.inputs().head();
    input.require(first);
    try {
      return recorded.run(this, recording, twin, call);
    } catch (EngineException e) {
      throw input.explained(first, e);
    }
  }

  /** Returns whether a parameter may be read while the layer runs. */
  boolean owns(Parameter parameter) {
    return recorded.owns(original, parameter);
  }

  /** Checks that an array of the layer has as many samples as the pass, on the declared axis. */
  void requireSamples(String what, NDArray array, SampleAxis axis, long batchSize) {
    if (!axis.holds(array, batchSize)) {
      throw misplacedSamples(what, array, axis, batchSize);
    }
  }

  /** The error for an array whose samples are not where they are declared to be. */
  IllegalStateException misplacedSamples(
      String what, NDArray array, SampleAxis axis, long batchSize) {
    return new IllegalStateException(
        what
            + " of layer '"
            + path
            + "' ("
            + original.getClass().getSimpleName()
            + ") must have the samples (B) on its "
            + (axis.number() == 0 ? "first axis" : "axis " + axis.number())
            + ", got "
            + axis.describe(array.getShape(), batchSize)
            + "; do not flatten samples into other axes or squeeze them away (squeeze() without an"
            + " axis does in a batch of one), look up positions for every sample (ids of shape (B,"
            + " T)), and declare samples on another axis by PrivacyEngine.Builder.optSampleAxis");
  }

  /** The check of the layer's first input. */
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
