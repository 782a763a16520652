/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.step;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.fastdp.internal.pass.TrainableParameters;
import ai.fastdp.kernel.TorchScriptModule;
import ai.fastdp.mechanism.ClippedGradientSum;
import java.util.ArrayList;
import java.util.List;

/**
 * The devices of a run. Each micro-batch is split among them; each sample is clipped where its
 * share is, and the devices' sums are added on the first one before the step's only draw of noise.
 *
 * <p>The first device holds the model, the noise and the optimizer; after an update the others get
 * copies of the parameters.
 */
public final class Replicas {
  private final TorchScriptModule kernels;
  private final TrainableParameters trainable;
  private final List<Replica> all = new ArrayList<>();
  private boolean stale;

  /**
   * Creates the replicas.
   *
   * @param manager owns all their memory
   * @param devices the devices, the model's first; one may be there several times
   */
  public Replicas(
      TorchScriptModule kernels,
      NDManager manager,
      TrainableParameters trainable,
      List<Device> devices) {
    this.kernels = kernels;
    this.trainable = trainable;
    List<Parameter> parameters = trainable.parameters();
    for (Device device : devices) {
      all.add(
          all.isEmpty()
              ? Replica.original(kernels, manager, parameters)
              : Replica.copy(kernels, manager.newSubManager(device), parameters));
    }
  }

  public boolean areSeveral() {
    return all.size() > 1;
  }

  Replica get(int number) {
    return all.get(number);
  }

  public Device[] devices() {
    return all.stream().map(Replica::device).toArray(Device[]::new);
  }

  /** Notes that the parameters have changed: copies must be refreshed before they are used. */
  public void parametersChanged() {
    stale = true;
  }

  /** Gives all copies the model's parameters as they are now, if these have changed. */
  void refreshIfStale() {
    if (stale) {
      all.forEach(Replica::refresh);
      stale = false;
    }
  }

  /** Returns the sum of the current step on the first device; the parameters must have arrays. */
  ClippedGradientSum firstSum() {
    trainable.requireReady(kernels);
    return all.get(0).sum();
  }

  /** Adds all devices' sums on the first device, and returns that one. */
  public ClippedGradientSum total() {
    ClippedGradientSum total = firstSum();
    all.subList(1, all.size()).forEach(other -> other.moveSum(total));
    return total;
  }

  /** Sets all sums to zero. */
  public void clear() {
    all.forEach(Replica::clear);
  }

  /** Runs a block for inference on the device of its input. */
  public NDList evaluate(Block block, NDList input) {
    NDArray head = input.head();
    return block.forward(valuesOn(head.getDevice(), head.getManager()), input, false, null);
  }

  /** Returns the parameters on an input's device, for inference; the first replica on it counts. */
  private ParameterStore valuesOn(Device device, NDManager manager) {
    refreshIfStale();
    Replica replica =
        all.stream()
            .filter(candidate -> candidate.device().equals(device))
            .findFirst()
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "data must be on one of the trainer's devices, got " + device));
    return new ParameterStore(manager, false) {
      @Override
      @SuppressWarnings("NullAway") // DJL's layers ask for the value of a parameter they lack.
      public NDArray getValue(Parameter parameter, Device ignored, boolean training) {
        return parameter == null ? null : replica.value(parameter);
      }
    };
  }
}
