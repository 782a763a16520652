/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Copies of saved arrays, held until the first update shows the parameters that they belong to. */
final class SavedLists implements AutoCloseable {
  private final Map<String, List<NDArray>> arrays = new LinkedHashMap<>();
  private @Nullable NDManager manager;

  private SavedLists() {}

  static SavedLists copyOf(Map<String, List<NDArray>> arrays) {
    SavedLists copies = new SavedLists();
    arrays.forEach(
        (name, list) -> {
          List<NDArray> own = new ArrayList<>();
          list.forEach(array -> own.add(copies.copy(array)));
          copies.arrays.put(name, own);
        });
    return copies;
  }

  private NDArray copy(NDArray array) {
    NDManager owner = manager;
    if (owner == null) {
      owner = array.getManager().getEngine().newBaseManager();
      manager = owner;
    }
    NDArray copy = array.duplicate();
    copy.attach(owner);
    return copy;
  }

  Map<String, List<NDArray>> arrays() {
    return arrays;
  }

  @Override
  public void close() {
    if (manager != null) {
      manager.close();
    }
  }
}
