/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.state;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import ai.fastdp.internal.kernel.GraphKernels;
import ai.fastdp.internal.kernel.SumKernels;
import ai.fastdp.kernel.TorchScriptModule;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Copies of the arrays that a model's objects hold and that are no parameters, so that what is
 * written into them can be undone. A copy is made when an array is first met, and again when
 * PyTorch's count of changes has moved.
 */
final class KeptArrays implements PlaceKind {
  private final GraphKernels graph;
  private final SumKernels sums;
  private final NDManager manager;
  private final IdentityHashMap<NDArray, Kept> current = new IdentityHashMap<>();
  private final List<Kept> retired = new ArrayList<>();

  KeptArrays(TorchScriptModule kernels, NDManager manager) {
    graph = new GraphKernels(kernels);
    sums = new SumKernels(kernels);
    this.manager = manager.newSubManager();
  }

  /** An array's values at one time. */
  private static final class Kept {
    private final NDArray copy;
    private final NDManager home;
    private long version;
    private long handle;
    private @Nullable NDArray again;

    Kept(NDArray copy, NDManager home) {
      this.copy = copy;
      this.home = home;
    }
  }

  /** Copies an array's values, unless the newest copy has them; null if the array is closed. */
  @Override
  public @Nullable Object read(Object owner) {
    NDArray array = (NDArray) owner;
    if (isReleased(array)) {
      return null;
    }
    long version = graph.versions(List.of(array))[0];
    Kept kept = current.get(array);
    if (kept == null || kept.version != version || kept.handle != handle(array)) {
      if (kept != null) {
        retired.add(kept);
      }
      kept = new Kept(duplicate(array, manager), array.getManager());
      kept.version = version;
      kept.handle = handle(array);
      current.put(array, kept);
    }
    return kept;
  }

  /** Finds the arrays that were written to, given another tensor, or closed. */
  List<Place> changed(List<Place> places) {
    List<Place> changed = new ArrayList<>();
    List<Place> open = new ArrayList<>();
    for (Place place : places) {
      boolean closed = isReleased((NDArray) place.owner());
      if (!closed && place.seen() != null) {
        open.add(place);
      } else if (closed != (place.seen() == null)) {
        changed.add(place);
      }
    }
    if (open.isEmpty()) {
      return changed;
    }
    long[] versions = graph.versions(open.stream().map(p -> (NDArray) p.owner()).toList());
    for (int i = 0; i < versions.length; i++) {
      Kept kept = (Kept) open.get(i).seen();
      if (kept == null
          || kept.version != versions[i]
          || kept.handle != handle((NDArray) open.get(i).owner())) {
        changed.add(open.get(i));
      }
    }
    return changed;
  }

  @Override
  public boolean holds(Object owner, @Nullable Object picture) {
    NDArray array = (NDArray) owner;
    if (isReleased(array) || !(picture instanceof Kept kept)) {
      return isReleased(array) && picture == null;
    }
    return kept.version == graph.versions(List.of(array))[0] && kept.handle == handle(array);
  }

  /** Writes the values back; a closed array stays closed. */
  @Override
  public void write(Object owner, @Nullable Object picture) {
    NDArray array = (NDArray) owner;
    if (isReleased(array) || !(picture instanceof Kept kept)) {
      return;
    }
    boolean before = JniUtils.isGradMode();
    JniUtils.setGradMode(false);
    try {
      sums.copyInto(array, kept.copy);
    } finally {
      JniUtils.setGradMode(before);
    }
    Kept newest = current.put(array, kept);
    if (newest != null && newest != kept) {
      retired.add(newest);
    }
    kept.version = graph.versions(List.of(array))[0];
    kept.handle = handle(array);
  }

  /** Writes the values back, whatever others have written since: the two cannot be told apart. */
  @Override
  public void undo(Object owner, @Nullable Object before, @Nullable Object after) {
    write(owner, before);
  }

  @Override
  public String name(Object owner) {
    NDArray array = (NDArray) owner;
    return "an array" + (isReleased(array) ? "" : " " + array.getShape());
  }

  /** Replaces closed arrays in a picture by ones of the same values. */
  @Nullable Object opened(@Nullable Object picture) {
    if (picture instanceof Object[] elements) {
      for (int i = 0; i < elements.length; i++) {
        elements[i] = opened(elements[i]);
      }
    }
    if (!(picture instanceof NDArray array) || !isReleased(array)) {
      return picture;
    }
    Kept kept = current.get(array);
    if (kept == null || !kept.home.isOpen()) {
      return picture;
    }
    NDArray again = kept.again;
    if (again == null || isReleased(again)) {
      again = duplicate(kept.copy, kept.home);
      kept.again = again;
    }
    return again;
  }

  /** Closes the copies of all arrays but some. */
  void forgetAllBut(Set<Object> known) {
    current
        .entrySet()
        .removeIf(
            entry -> {
              boolean forgotten = !known.contains(entry.getKey());
              if (forgotten) {
                retired.add(entry.getValue());
              }
              return forgotten;
            });
    for (Kept kept : retired) {
      if (current.containsValue(kept)) {
        continue;
      }
      kept.copy.close();
      if (kept.again != null && !known.contains(kept.again)) {
        kept.again.close();
      }
    }
    retired.clear();
  }

  private static NDArray duplicate(NDArray array, NDManager owner) {
    try (NDArray plain = array.stopGradient()) {
      NDArray copy = plain.duplicate();
      copy.attach(owner);
      copy.setName(array.getName());
      return copy;
    }
  }

  static boolean isReleased(NDArray array) {
    return ((PtNDArray) array).isReleased();
  }

  private static long handle(NDArray array) {
    return ((PtNDArray) array).getHandle();
  }
}
