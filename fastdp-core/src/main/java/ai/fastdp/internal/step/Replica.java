/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.step;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.fastdp.internal.kernel.SumKernels;
import ai.fastdp.kernel.TorchScriptModule;
import ai.fastdp.mechanism.ClippedGradientSum;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What one device has of a run: the model's parameters, and the sum of the clipped gradients of its
 * shares of the logical batch.
 *
 * <p>The first device's parameters are the model's own; every other device has copies.
 */
final class Replica {
  private final TorchScriptModule kernels;
  private final NDManager manager;
  private final List<Parameter> trainable;
  private final @Nullable Map<Parameter, NDArray> copies;
  private @Nullable ClippedGradientSum sum;

  private Replica(
      TorchScriptModule kernels,
      NDManager manager,
      List<Parameter> trainable,
      @Nullable Map<Parameter, NDArray> copies) {
    this.kernels = kernels;
    this.manager = manager;
    this.trainable = trainable;
    this.copies = copies;
  }

  /** Makes the replica that uses the model's own parameters. */
  static Replica original(TorchScriptModule kernels, NDManager manager, List<Parameter> trainable) {
    return new Replica(kernels, manager, trainable, null);
  }

  /** Makes a replica with copies on a manager's device. */
  static Replica copy(TorchScriptModule kernels, NDManager manager, List<Parameter> trainable) {
    return new Replica(kernels, manager, trainable, new IdentityHashMap<>());
  }

  Device device() {
    return manager.getDevice();
  }

  NDManager manager() {
    return manager;
  }

  /** Returns a parameter's array on this device. */
  NDArray value(Parameter parameter) {
    NDArray array = parameter.getArray();
    if (copies == null) {
      return array;
    }
    return copies.computeIfAbsent(
        parameter,
        ignored -> {
          NDArray value = array.stopGradient();
          // On its own device DJL's toDevice gives the same memory, asked for a copy or not.
          NDArray copy =
              value.getDevice().equals(device()) ? value.mul(1) : value.toDevice(device(), true);
          if (copy != value) {
            value.close();
          }
          copy.attach(manager);
          copy.setName(array.getName());
          return copy;
        });
  }

  /** Makes the copies equal to the model's parameters again. */
  void refresh() {
    if (copies == null) {
      return;
    }
    copies
        .entrySet()
        .removeIf(
            entry -> {
              NDArray array = entry.getKey().getArray();
              NDArray copy = entry.getValue();
              boolean replaced =
                  !array.getShape().equals(copy.getShape())
                      || array.getDataType() != copy.getDataType();
              if (replaced) {
                copy.close();
              } else {
                new SumKernels(kernels).copyInto(copy, array.stopGradient());
              }
              return replaced;
            });
  }

  /** Returns the sum of this device's shares of the step; the parameters must have arrays. */
  ClippedGradientSum sum() {
    if (sum == null) {
      sum = new ClippedGradientSum(kernels, manager, trainable);
    }
    return sum;
  }

  /** Moves this device's sum, if it has got a share yet, to the sum of all devices. */
  void moveSum(ClippedGradientSum total) {
    if (sum != null) {
      total.take(sum);
    }
  }

  /** Sets the sum to zero. */
  void clear() {
    if (sum != null) {
      sum.clear();
    }
  }
}
