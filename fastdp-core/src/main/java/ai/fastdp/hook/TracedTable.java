/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.hook;

import ai.djl.engine.EngineException;
import ai.djl.ndarray.NDArray;
import ai.djl.pytorch.engine.PtNDArray;

/**
 * The table of an embedding whose class is final and cannot have a twin: it records its look-ups
 * itself.
 *
 * <p>The rows come from an alias outside the graph. The table as such is in the graph as a probe:
 * whatever else the model does with it shows as a gradient, and is refused.
 */
final class TracedTable extends PtNDArray {
  private final PtNDArray probe;
  private final PtNDArray plain;
  private final LayerHook hook;
  private final ForwardRecorder recorder;

  TracedTable(PtNDArray probe, PtNDArray plain, LayerHook hook, ForwardRecorder recorder) {
    super(probe.getManager(), probe.getHandle());
    this.probe = probe;
    this.plain = plain;
    this.hook = hook;
    this.recorder = recorder;
  }

  @Override
  public NDArray gatherNd(NDArray index) {
    hook.input().require(index);
    try {
      return recorder.recordRows(hook, index, plain.gatherNd(index));
    } catch (EngineException e) {
      throw hook.input().explained(index, e);
    }
  }

  /** Gives the native array back to the probe, which owns it. */
  @Override
  public void close() {
    handle.set(null);
    super.close();
    probe.close();
  }
}
