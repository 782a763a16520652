/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

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
  private final Recording recording;

  TracedTable(PtNDArray probe, PtNDArray plain, LayerHook hook, Recording recording) {
    super(probe.getManager(), probe.getHandle());
    this.probe = probe;
    this.plain = plain;
    this.hook = hook;
    this.recording = recording;
  }

  @Override
  public NDArray gatherNd(NDArray index) {
    hook.input().require(index);
    try {
      return record(index, plain.gatherNd(index));
    } catch (EngineException e) {
      throw hook.input().explained(index, e);
    }
  }

  /** Records the look-up of rows, ids in sample order; returns what the model must use. */
  private NDArray record(NDArray index, NDArray rows) {
    long batchSize = recording.batchSize();
    SampleAxis axis = recording.axis(hook);
    if (axis.number() != 0) {
      // The ids come in flattened; their own shape, which would tell the samples apart, is lost.
      throw new IllegalStateException(
          "sample axis of layer '"
              + hook.path()
              + "' (IdEmbedding) must be 0, got "
              + axis.number()
              + "; give it ids (B, T), declare axis 0 for its path, and transpose what it gives, or"
              + " use an Embedding in its place");
    }
    if (index.getShape().dimension() != 2
        || index.getShape().get(0) != 1
        || index.size() % batchSize != 0) {
      throw hook.misplacedSamples("input", index, SampleAxis.FIRST, batchSize);
    }
    long positions = index.size() / batchSize;
    NDArray ids = index.reshape(batchSize, positions);
    NDArray perSample = rows.reshape(batchSize, positions, rows.getShape().get(1));
    Recording.Tap tap = recording.tap(hook, perSample, SampleAxis.FIRST);
    recording.addUse(hook, "", ids, SampleAxis.FIRST, tap);
    return tap.onward().reshape(rows.getShape());
  }

  /** Gives the native array back to the probe, which owns it. */
  @Override
  public void close() {
    handle.set(null);
    super.close();
    probe.close();
  }
}
