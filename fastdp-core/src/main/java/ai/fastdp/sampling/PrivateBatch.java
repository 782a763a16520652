/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

import ai.djl.Device;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.Batch;
import ai.djl.translate.Batchifier;
import ai.fastdp.hook.KeptMemory;
import org.jspecify.annotations.Nullable;

/**
 * A micro-batch of a Poisson-sampled logical batch; the only kind of batch that the trainer takes.
 *
 * <p>A logical batch that came out empty is one micro-batch without samples: its step releases
 * noise alone and is charged like any other. The size of a batch is private.
 */
public final class PrivateBatch extends Batch {
  private final long step;
  private final boolean last;
  private final @Nullable Batch source;

  private PrivateBatch(
      NDManager manager,
      NDList data,
      NDList labels,
      int size,
      long step,
      long steps,
      boolean last,
      @Nullable Batch source) {
    super(manager, data, labels, size, Batchifier.STACK, Batchifier.STACK, step, steps);
    this.step = step;
    this.last = last;
    this.source = source;
  }

  static PrivateBatch of(Batch source, int size, long step, long steps, boolean last) {
    return new PrivateBatch(
        new KeptMemory().newSubManager(source.getManager()),
        source.getData(),
        source.getLabels(),
        size,
        step,
        steps,
        last,
        source);
  }

  static PrivateBatch empty(NDManager parent, long step, long steps) {
    return new PrivateBatch(
        parent.newSubManager(), new NDList(), new NDList(), 0, step, steps, true, null);
  }

  /**
   * The number of the logical step, from 1.
   *
   * @return the step
   */
  public long step() {
    return step;
  }

  /**
   * Whether this is the last micro-batch of its logical step.
   *
   * @return true if the weights are updated after it
   */
  public boolean endsStep() {
    return last;
  }

  /**
   * Whether the logical batch came out empty.
   *
   * @return true if there is no sample
   */
  public boolean isEmpty() {
    return getSize() == 0;
  }

  @Override
  public Batch[] split(Device[] devices, boolean evenSplit) {
    if (devices.length != 1) {
      throw new IllegalArgumentException(
          "devices must be one device, got " + devices.length + "; train on a single device");
    }
    return isEmpty() ? new Batch[0] : new Batch[] {this};
  }

  @Override
  public void close() {
    super.close();
    if (source != null) {
      source.close();
    }
  }
}
