/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.step;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.pytorch.engine.PtNDArray;
import ai.fastdp.internal.kernel.GraphKernels;
import ai.fastdp.kernel.TorchScriptModule;
import java.util.Arrays;

/**
 * Arrays that a training loop has in its hands, and must give back with the values they had.
 *
 * <p>A write in place, through any view of an array, advances PyTorch's version counter of it. What
 * is written past PyTorch, into the memory that {@code toByteBuffer(true)} shows on a CPU, is not
 * seen.
 */
final class HandedOut {
  private final GraphKernels kernels;
  private final String name;
  private final NDList list;
  private long[] handles;
  private long[] versions;

  /**
   * @param name what the arrays are, for an error
   * @param list the arrays as they are now
   */
  HandedOut(TorchScriptModule kernels, String name, NDList list) {
    this.kernels = new GraphKernels(kernels);
    this.name = name;
    this.list = list;
    handles = handles();
    versions = versions();
  }

  NDList list() {
    return list;
  }

  /** Returns whether a list is this one, or has the same arrays in the same order. */
  @SuppressWarnings("ReferenceEquality") // The very arrays, not equal ones.
  boolean is(NDList other) {
    if (other == list) {
      return true;
    }
    boolean same = other.size() == list.size();
    for (int i = 0; same && i < other.size(); i++) {
      same = other.get(i) == list.get(i);
    }
    return same;
  }

  /** Takes the values as they are now for those that were handed out. */
  void renew() {
    handles = handles();
    versions = versions();
  }

  /**
   * Checks that the arrays have the values that were handed out.
   *
   * @throws IllegalStateException if one is closed or has been written to
   */
  void requireUnchanged() {
    for (NDArray array : list) {
      if (((PtNDArray) array).isReleased()) {
        throw new IllegalStateException(
            name
                + " of a batch must be open while it is trained, got a closed batch; close it after"
                + " step()");
      }
    }
    if (!Arrays.equals(handles, handles()) || !Arrays.equals(versions, versions())) {
      throw new IllegalStateException(
          name
              + " must not be modified in place between batch, model, loss and backward pass, got a"
              + " modification; change samples in the data set's pipeline, where each depends on"
              + " itself alone, and predictions in the model or the loss");
    }
  }

  private long[] handles() {
    return list.stream().mapToLong(array -> ((PtNDArray) array).getHandle()).toArray();
  }

  private long[] versions() {
    return list.isEmpty() ? new long[0] : kernels.versions(list);
  }
}
