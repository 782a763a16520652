/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

import ai.djl.ndarray.NDList;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import ai.fastdp.internal.hook.HookedModel.Located;
import org.jspecify.annotations.Nullable;

/**
 * Cuts the graph of a recorded pass at a block's output. For a block that holds a trainable layer
 * without a twin it also checks that no other trainer trains the layer.
 */
final class CutHook implements BlockHook {
  private final String path;
  private final ForwardRecorder recorder;
  private final @Nullable Located guarded;

  CutHook(String path, ForwardRecorder recorder, @Nullable Located guarded) {
    this.path = path;
    this.recorder = recorder;
    this.guarded = guarded;
  }

  @Override
  public NDList forward(
      HookedBlock twin,
      ParameterStore parameterStore,
      NDList inputs,
      boolean training,
      @Nullable PairList<String, Object> params) {
    guard(training);
    return cut(twin.fastdpForward(parameterStore, inputs, training, params));
  }

  @Override
  public NDList forward(
      HookedBlock twin,
      ParameterStore parameterStore,
      NDList data,
      NDList labels,
      @Nullable PairList<String, Object> params) {
    guard(true);
    return cut(twin.fastdpForward(parameterStore, data, labels, params));
  }

  private void guard(boolean training) {
    if (guarded != null
        && training
        && recorder.current() == null
        && guarded.block().getParameters().values().stream()
            .anyMatch(Parameter::requiresGradient)) {
      ForwardRecorder.requireNoGraph(guarded.path());
    }
  }

  private NDList cut(NDList outputs) {
    Recording recording = recorder.current();
    return recording == null ? outputs : recording.cut(path, outputs);
  }
}
