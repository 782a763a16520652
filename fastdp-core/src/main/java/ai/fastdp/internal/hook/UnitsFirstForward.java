/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

import ai.djl.ndarray.NDList;
import ai.djl.nn.core.Multiplication;

/**
 * {@link Multiplication}: its output has the units on the first axis and the samples, which are on
 * the first axis of its input, on the second.
 */
final class UnitsFirstForward implements RecordedForward {
  private static final SampleAxis SECOND = new SampleAxis(1);

  @Override
  public NDList run(LayerHook hook, Recording recording, HookedBlock layer, Call call) {
    SampleAxis axis = recording.axis(hook);
    if (axis.number() != 0) {
      throw new IllegalStateException(
          "sample axis of layer '"
              + hook.path()
              + "' (Multiplication) must be 0, got "
              + axis.number()
              + "; its weight is shared along the first axis alone: declare axis 0 for its path");
    }
    NDList outputs = call.run(layer);
    Recording.Tap tap = recording.tap(hook, outputs.head(), SECOND);
    recording.addUse(hook, "", call.inputs().head(), axis, tap);
    return new NDList(tap.onward());
  }
}
