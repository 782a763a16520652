/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.state;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What all places held at one time. */
public final class Snapshot {
  private final Places classes;
  private final KeptArrays keptArrays;
  private final Set<Object> known;
  private final Set<NDManager> managers;
  private final List<Place> places;
  private final List<Place> arrays;

  Snapshot(
      Places classes,
      KeptArrays keptArrays,
      Set<Object> known,
      Set<NDManager> managers,
      List<Place> places,
      List<Place> arrays) {
    this.classes = classes;
    this.keptArrays = keptArrays;
    this.known = known;
    this.managers = managers;
    this.places = places;
    this.arrays = arrays;
  }

  /**
   * {@return the places that hold something else now; whatever has come within reach since is held
   * by one of them}
   */
  public List<Place> changed() {
    List<Place> changed = new ArrayList<>();
    for (Place place : places) {
      if (!place.isUnchanged()) {
        changed.add(place);
      }
    }
    if (!arrays.isEmpty()) {
      changed.addAll(keptArrays.changed(arrays));
    }
    return changed;
  }

  /**
   * Has places hold again what they held.
   *
   * @param changed places of this state
   * @return arrays that they held in between and that were not there before
   * @throws IllegalStateException if one cannot be written to
   */
  public List<NDArray> putBack(Collection<Place> changed) {
    List<NDArray> left = newArrays(changed);
    for (Place place : changed) {
      attempt(() -> place.putBack(keptArrays));
    }
    changed.forEach(Snapshot::requirePutBack);
    return left;
  }

  /**
   * Takes back what a pass wrote into a place, and leaves what others have written there since.
   *
   * @param place a place of this state
   * @param after what the pass left in it, by {@link Place#now}
   * @return arrays that it held in between and that were not there before
   */
  public List<NDArray> undo(Place place, @Nullable Object after) {
    List<NDArray> left = newArrays(List.of(place));
    attempt(() -> place.undo(after, keptArrays));
    return left;
  }

  /** A view that cannot be changed is changed by way of what it shows, which is a place, too. */
  private static void attempt(Runnable write) {
    try {
      write.run();
    } catch (UnsupportedOperationException e) {
      // Whether it was, is looked at when all have been written.
    }
  }

  private static void requirePutBack(Place place) {
    boolean closed = place.owner() instanceof NDArray array && !ReachableState.isOpen(array);
    if (!closed && !place.isUnchanged()) {
      throw new IllegalStateException(
          "what a pass leaves in Java objects must be able to be put back, got what cannot be in "
              + place
              + "; keep it in fields, arrays or the JDK's own collections");
    }
  }

  /**
   * Takes down all that a place holds now, as deep as it goes.
   *
   * @param place a place of this state
   * @return values to compare by {@code Arrays.deepEquals}
   */
  public Object[] contents(Place place) {
    Contents contents = new Contents(classes, known);
    contents.add(place.now(), place.owner());
    return contents.values();
  }

  private List<NDArray> newArrays(Collection<Place> changed) {
    List<NDArray> found = new ArrayList<>();
    for (Place place : changed) {
      if (!ReachableState.isArray(place.owner())) {
        Contents contents = new Contents(classes, known);
        contents.find(place.now());
        found.addAll(contents.arrays());
      }
    }
    return found;
  }

  /**
   * Closes arrays that a pass left where nobody holds them any more. Those under the manager of a
   * pass or of a batch are closed with it.
   *
   * @param left arrays that are not in this state, unless it holds them now
   */
  public void close(List<NDArray> left) {
    for (NDArray array : left) {
      if (ReachableState.isOpen(array)
          && !known.contains(array)
          && managers.contains(array.getManager())) {
        array.close();
      }
    }
  }

  /**
   * {@return whether a state that was taken later has the place}
   *
   * @param place a place of an earlier state
   */
  public boolean reaches(Place place) {
    return known.contains(place.owner());
  }

  Set<Object> known() {
    return Collections.unmodifiableSet(known);
  }
}
