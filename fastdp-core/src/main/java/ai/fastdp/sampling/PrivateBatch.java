/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.Batch;
import ai.djl.translate.Batchifier;
import ai.fastdp.internal.hook.KeptMemory;
import ai.fastdp.internal.hook.SampleAxis;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A micro-batch of a Poisson-sampled logical batch; the only kind of batch that the trainer takes.
 *
 * <p>A logical batch that came out empty is one micro-batch without samples: its step releases
 * noise alone and is charged like any other. The size of a batch is private.
 *
 * <p>Its lists of arrays cannot be changed, and the trainer refuses arrays that were written to: a
 * sample reaches the model and the loss as it was drawn.
 */
public final class PrivateBatch extends Batch {
  private final long step;
  private final boolean last;
  private final @Nullable Batch source;
  private final SampleAxis dataAxis;
  private final SampleAxis labelAxis;
  private Device[] splitDevices = {};
  private List<DeviceShare> shares = List.of();
  private boolean closed;

  private PrivateBatch(
      NDManager manager,
      NDList data,
      NDList labels,
      int size,
      long step,
      long steps,
      boolean last,
      SampleAxis dataAxis,
      SampleAxis labelAxis,
      @Nullable Batch source) {
    super(manager, data, labels, size, Batchifier.STACK, Batchifier.STACK, step, steps);
    this.step = step;
    this.last = last;
    this.dataAxis = dataAxis;
    this.labelAxis = labelAxis;
    this.source = source;
  }

  static PrivateBatch of(
      Batch source,
      int size,
      long step,
      long steps,
      boolean last,
      SampleAxis dataAxis,
      SampleAxis labelAxis) {
    return new PrivateBatch(
        new KeptMemory().newSubManager(source.getManager()),
        new FixedList(source.getData()),
        new FixedList(source.getLabels()),
        size,
        step,
        steps,
        last,
        dataAxis,
        labelAxis,
        source);
  }

  static PrivateBatch empty(NDManager parent, long step, long steps) {
    return new PrivateBatch(
        parent.newSubManager(),
        new FixedList(new NDList()),
        new FixedList(new NDList()),
        0,
        step,
        steps,
        true,
        SampleAxis.FIRST,
        SampleAxis.FIRST,
        null);
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

  /**
   * The devices' shares; see {@link #shares}.
   *
   * @param devices the trainer's devices
   * @param evenSplit ignored: shares of a Poisson sample are as even as they come
   * @return the shares in the order of the devices
   */
  @Override
  public Batch[] split(Device[] devices, boolean evenSplit) {
    return shares(devices).stream().map(DeviceShare::batch).toArray(Batch[]::new);
  }

  /**
   * The shares of the devices, none for a device that gets no sample. They differ by one sample at
   * most, no sample is in two of them, and the same devices get the same shares again.
   *
   * @param devices the trainer's devices
   * @return the shares in the order of the devices
   * @throws IllegalStateException if the batch has been closed
   */
  public List<DeviceShare> shares(Device[] devices) {
    requireOpen();
    if (isEmpty()) {
      return List.of();
    }
    if (devices.length == 1) {
      return List.of(new DeviceShare(0, this));
    }
    if (!Arrays.equals(splitDevices, devices)) {
      List<DeviceShare> parts = new ArrayList<>();
      for (int i = 0; i < devices.length; i++) {
        int from = shareBegin(i, devices.length);
        int to = shareBegin(i + 1, devices.length);
        if (to > from) {
          parts.add(new DeviceShare(i, share(devices[i], from, to)));
        }
      }
      shares = List.copyOf(parts);
      splitDevices = devices.clone();
    }
    return shares;
  }

  /** The first sample of a device's share. */
  private int shareBegin(int device, int devices) {
    return Math.toIntExact((long) getSize() * device / devices);
  }

  private Batch share(Device device, int from, int to) {
    NDManager manager = getManager().newSubManager(device);
    return new Batch(
        manager,
        new FixedList(rows(getData(), dataAxis, device, from, to)),
        new FixedList(rows(getLabels(), labelAxis, device, from, to)),
        to - from,
        Batchifier.STACK,
        Batchifier.STACK,
        getProgress(),
        getProgressTotal());
  }

  private static NDList rows(NDList list, SampleAxis axis, Device device, int from, int to) {
    NDList part = new NDList();
    for (NDArray array : list) {
      NDArray rows = axis.slice(array, from, to).toDevice(device, false);
      rows.setName(array.getName());
      part.add(rows);
    }
    return part;
  }

  /**
   * {@inheritDoc}
   *
   * @throws IllegalStateException if the batch is closed
   */
  @Override
  public NDManager getManager() {
    requireOpen();
    return super.getManager();
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException(
          "a batch must be open while it is trained, got a closed batch; close it after step(), and"
              + " take the next one from batches(dataset)");
    }
  }

  /** Releases the batch's arrays; has no effect on a closed batch. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      super.close();
      if (source != null) {
        source.close();
      }
    }
  }
}
