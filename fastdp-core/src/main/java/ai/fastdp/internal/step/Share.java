/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.step;

import ai.djl.ndarray.NDList;
import ai.fastdp.kernel.TorchScriptModule;
import ai.fastdp.sampling.DeviceShare;

/** The part of a physical batch that one device works on, as it was handed out. */
public final class Share {
  private final DeviceShare part;
  private final HandedOut data;
  private final HandedOut labels;

  Share(TorchScriptModule kernels, DeviceShare part) {
    this.part = part;
    data = new HandedOut(kernels, "data", part.batch().getData());
    labels = new HandedOut(kernels, "labels", part.batch().getLabels());
  }

  DeviceShare part() {
    return part;
  }

  /** Returns the number of the device among the trainer's. */
  int device() {
    return part.device();
  }

  /** Returns whether these are the lists that were handed out. */
  @SuppressWarnings("ReferenceEquality") // The very lists of the share, not equal ones.
  boolean isOf(NDList otherData, NDList otherLabels) {
    return otherData == data.list() && otherLabels == labels.list();
  }

  boolean hasLabels(NDList others) {
    return labels.is(others);
  }

  /** Checks that nothing has been written to since it was handed out. */
  void requireUnchanged() {
    data.requireUnchanged();
    labels.requireUnchanged();
  }

  void requireLabelsUnchanged() {
    labels.requireUnchanged();
  }

  /** Another share's pass may have written into arrays that are views of the same batch. */
  void renew() {
    data.renew();
    labels.renew();
  }
}
