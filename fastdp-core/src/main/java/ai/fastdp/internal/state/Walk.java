/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.state;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import java.lang.reflect.Proxy;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Deque;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** One walk over the objects that a model and its loss reach, the nearest first. */
final class Walk {
  private static final int MOST_OBJECTS = 1_000_000;

  private final Places classes;
  private final KeptArrays keptArrays;
  private final Set<Object> known = Collections.newSetFromMap(new IdentityHashMap<>(4096));
  private final Set<NDManager> managers = Collections.newSetFromMap(new IdentityHashMap<>());
  private final List<Place> places = new ArrayList<>(4096);
  private final List<Place> arrays = new ArrayList<>();
  private final Deque<Met> queue = new ArrayDeque<>();

  private record Met(Object object, @Nullable Place from) {}

  /**
   * @param watched the parameters that are watched elsewhere
   */
  Walk(Places classes, KeptArrays keptArrays, Collection<Parameter> watched) {
    this.classes = classes;
    this.keptArrays = keptArrays;
    for (Parameter parameter : watched) {
      known.add(parameter);
      if (parameter.isInitialized()) {
        known.add(parameter.getArray());
        // Arrays of the model that a pass leaves without a holder are under this one.
        managers.add(parameter.getArray().getManager());
      }
    }
  }

  Snapshot from(List<Object> roots) {
    roots.forEach(root -> meet(root, null));
    while (!queue.isEmpty()) {
      Met met = queue.remove();
      look(met.object(), met.from());
    }
    return new Snapshot(classes, keptArrays, known, managers, places, arrays);
  }

  private void meet(@Nullable Object object, @Nullable Place from) {
    if (object == null || PlaceKind.isPlain(object)) {
      return;
    }
    if (object instanceof NDManager manager) {
      managers.add(manager);
    } else if (!(object instanceof Class) && known.add(object)) {
      if (known.size() > MOST_OBJECTS) {
        throw new IllegalStateException(
            "a model's blocks and its loss must reach at most "
                + MOST_OBJECTS
                + " Java objects, got more; keep data sets out of fields and captured variables");
      }
      queue.add(new Met(object, from));
    }
  }

  private void look(Object object, @Nullable Place from) {
    if (ReachableState.isArray(object)) {
      arrays.add(new Place(object, keptArrays, from));
      managers.add(((NDArray) object).getManager());
      return;
    }
    Class<?> type = object.getClass();
    ClassPlaces found = classes.ofObjects(type);
    if (found.isEmpty() && !Proxy.isProxyClass(type)) {
      statics(type);
      return;
    }
    walk(object, found, from);
    for (Class<?> c = type; c != null && !c.isArray(); c = c.getSuperclass()) {
      statics(c);
    }
    // A lambda's class is not the one whose static fields it may read.
    statics(type.getNestHost());
  }

  private void statics(Class<?> type) {
    ClassPlaces found = classes.ofStatics(type);
    if (!found.isEmpty() && known.add(type)) {
      walk(type, found, null);
    }
  }

  private void walk(Object object, ClassPlaces found, @Nullable Place from) {
    for (FieldPlace field : found.changing()) {
      Place place = new Place(object, field, from);
      places.add(place);
      meet(place.seen(), place);
    }
    for (FieldPlace field : found.fixed()) {
      Object held = field.read(object);
      if (held != null) {
        meet(held, new Place(object, field, from));
      }
    }
    if (found.content() != null && !isUnchanging(object)) {
      Place place = new Place(object, found.content(), from);
      places.add(place);
      if (place.seen() instanceof Object[] elements) {
        for (Object element : elements) {
          meet(element, place);
        }
      } else if (place.seen() != null && !place.seen().getClass().isArray()) {
        meet(place.seen(), place);
      }
    }
  }

  /** An array without elements holds nothing. */
  private static boolean isUnchanging(Object object) {
    return object.getClass().isArray() && java.lang.reflect.Array.getLength(object) == 0;
  }
}
