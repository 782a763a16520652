/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.pass;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.util.Pair;
import ai.fastdp.internal.kernel.GraphKernels;
import ai.fastdp.kernel.TorchScriptModule;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * Tells whether a pass has changed a parameter: its array by PyTorch's count of changes, one call
 * for all of them, or its array for another one.
 */
public final class ParameterWatch {
  private final GraphKernels kernels;
  private final List<Pair<String, Parameter>> parameters = new ArrayList<>();
  private final List<NDArray> own = new ArrayList<>();
  private final List<NDArray> watched = new ArrayList<>();
  private final List<String> names = new ArrayList<>();
  private final long[] versions;
  private final long[] handles;

  /**
   * Begins to watch the parameters of a block that have arrays.
   *
   * @param values the array that the pass reads for a parameter
   */
  ParameterWatch(TorchScriptModule kernels, Block block, Function<Parameter, NDArray> values) {
    this.kernels = new GraphKernels(kernels);
    collect("", block);
    for (Pair<String, Parameter> named : parameters) {
      NDArray array = named.getValue().getArray();
      own.add(array);
      watch(named.getKey(), array);
      NDArray read = values.apply(named.getValue());
      if (!isSame(read, array)) {
        watch(named.getKey(), read);
      }
    }
    versions = this.kernels.versions(watched);
    handles = handles();
  }

  /** An array may be given another tensor. */
  private long[] handles() {
    return watched.stream().mapToLong(array -> ((PtNDArray) array).getHandle()).toArray();
  }

  private void collect(String path, Block block) {
    for (Pair<String, Parameter> direct : block.getDirectParameters()) {
      if (direct.getValue().isInitialized()) {
        parameters.add(new Pair<>(path + direct.getKey(), direct.getValue()));
      }
    }
    for (Pair<String, Block> child : block.getChildren()) {
      collect(path + child.getKey() + "/", child.getValue());
    }
  }

  private void watch(String name, NDArray array) {
    names.add(name);
    watched.add(array);
  }

  /**
   * Checks that no parameter has changed since.
   *
   * @throws IllegalStateException naming one that has
   */
  public void requireUnmodified() {
    for (int k = 0; k < own.size(); k++) {
      if (!isSame(own.get(k), parameters.get(k).getValue().getArray())) {
        throw modified(parameters.get(k).getKey(), own.get(k));
      }
    }
    for (int i = 0; i < watched.size(); i++) {
      if (((PtNDArray) watched.get(i)).isReleased()) {
        throw modified(names.get(i), own.get(0));
      }
    }
    long[] now = kernels.versions(watched);
    long[] nowHeld = handles();
    for (int i = 0; i < now.length; i++) {
      if (now[i] != versions[i] || nowHeld[i] != handles[i]) {
        throw modified(names.get(i), watched.get(i));
      }
    }
  }

  @SuppressWarnings("ReferenceEquality") // The very array.
  private static boolean isSame(NDArray one, NDArray other) {
    return one == other;
  }

  private static IllegalStateException modified(String name, NDArray array) {
    return new IllegalStateException(
        "parameter '"
            + name
            + "' "
            + array.getShape()
            + " must not be changed by a forward pass or a loss, nor by anybody until the step's"
            + " update, got a changed one: it would take in raw data without noise; remove the"
            + " state (running statistics, codebooks), or hold it fixed");
  }
}
