/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.hook;

import ai.djl.ndarray.NDList;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import org.jspecify.annotations.Nullable;

/** A block at whose output the graph of a recorded pass may be cut. */
final class CutHook implements BlockHook {
  private final String path;
  private final ForwardRecorder recorder;

  CutHook(String path, ForwardRecorder recorder) {
    this.path = path;
    this.recorder = recorder;
  }

  @Override
  public NDList forward(
      HookedBlock twin,
      ParameterStore parameterStore,
      NDList inputs,
      boolean training,
      @Nullable PairList<String, Object> params) {
    return cut(twin.fastdpForward(parameterStore, inputs, training, params));
  }

  @Override
  public NDList forward(
      HookedBlock twin,
      ParameterStore parameterStore,
      NDList data,
      NDList labels,
      @Nullable PairList<String, Object> params) {
    return cut(twin.fastdpForward(parameterStore, data, labels, params));
  }

  private NDList cut(NDList outputs) {
    return recorder.isRecording() ? recorder.cut(path, outputs) : outputs;
  }
}
