/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.pytorch.jni.JniUtils;
import ai.fastdp.kernel.MasterWeights;
import ai.fastdp.kernel.TorchScriptModule;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** The arrays that one optimizer keeps beside the parameters that it updates, and its kernels. */
final class ListState implements AutoCloseable {
  /** So many elements of five or six arrays fit in a core's second-level cache. */
  private static final long CACHED_ELEMENTS = 1 << 16;

  private final List<Parameter> parameters;
  private final NDManager manager;
  private final TorchScriptModule module;
  private final Map<String, List<NDArray>> arrays = new LinkedHashMap<>();
  private final long block;
  private NDManager mastersManager;
  private MasterWeights masters;

  /** Zero arrays under each name beside each parameter. */
  ListState(List<Parameter> parameters, List<NDArray> weights, List<String> names) {
    this.parameters = List.copyOf(parameters);
    manager = weights.get(0).getManager().newSubManager();
    module =
        TorchScriptModule.compileResource(
            manager, "Updates", ListState.class, "updates.torchscript");
    mastersManager = manager.newSubManager();
    masters = MasterWeights.of(mastersManager, weights);
    for (String name : names) {
      List<NDArray> zeros = new ArrayList<>();
      for (NDArray weight : weights) {
        NDArray array = manager.zeros(weight.getShape(), DataType.FLOAT32, weight.getDevice());
        zeros.add(array);
      }
      arrays.put(name, zeros);
    }
    boolean cpu = weights.get(0).getDevice().getDeviceType().equals(Device.Type.CPU);
    block = cpu ? CACHED_ELEMENTS * JniUtils.getNumThreads() : Long.MAX_VALUE;
  }

  void requireSame(List<Parameter> others) {
    if (!others.equals(parameters)) {
      throw new IllegalStateException(
          "parameters must be those of the first update, got others; use one optimizer for each"
              + " trainer");
    }
  }

  /** Sets the arrays to those that were saved after one or more updates. */
  void restore(Map<String, List<NDArray>> saved, String mastersName) {
    if (saved.containsKey(mastersName) != masters.haveCopies()) {
      throw new IllegalArgumentException(
          "weights must have the data types that they were saved with, got "
              + (masters.haveCopies() ? "some" : "none")
              + " that need float32 masters, and a state with"
              + (masters.haveCopies() ? "out them" : " them")
              + "; load the model as it was saved");
    }
    saved.forEach(this::requireShapes);
    if (saved.containsKey(mastersName)) {
      masters.restore(saved.get(mastersName));
    }
    arrays.forEach(
        (name, list) -> {
          List<NDArray> sources = Objects.requireNonNull(saved.get(name), name);
          for (int k = 0; k < list.size(); k++) {
            sources.get(k).copyTo(list.get(k));
          }
        });
  }

  private void requireShapes(String name, List<NDArray> saved) {
    List<Shape> expected = masters.arrays().stream().map(NDArray::getShape).toList();
    List<Shape> given = saved.stream().map(NDArray::getShape).toList();
    if (!given.equals(expected)) {
      int k = 0;
      while (k < Math.min(given.size(), expected.size()) && given.get(k).equals(expected.get(k))) {
        k++;
      }
      throw new IllegalArgumentException(
          "state array '"
              + name
              + "' must have the parameters' shapes, got "
              + (k < given.size() ? given.get(k) : "none")
              + " for parameter "
              + k
              + " "
              + (k < expected.size() ? expected.get(k) : "none")
              + "; restore the state that was saved with this model");
    }
  }

  /** The parameters' arrays have been replaced: the new ones are the weights. */
  void renewMasters(List<NDArray> weights) {
    mastersManager.close();
    mastersManager = manager.newSubManager();
    masters = MasterWeights.of(mastersManager, weights);
  }

  List<Parameter> parameters() {
    return parameters;
  }

  MasterWeights masters() {
    return masters;
  }

  Map<String, List<NDArray>> arrays() {
    return Collections.unmodifiableMap(arrays);
  }

  /** How many elements a kernel works on at a time, where it can choose. */
  long block() {
    return block;
  }

  boolean onCpu() {
    return block != Long.MAX_VALUE;
  }

  TorchScriptModule module() {
    return module;
  }

  NDManager newScope() {
    return manager.newSubManager();
  }

  @Override
  public void close() {
    manager.close();
  }
}
