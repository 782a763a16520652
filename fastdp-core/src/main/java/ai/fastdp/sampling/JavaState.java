/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.lang.reflect.InaccessibleObjectException;
import java.lang.reflect.Modifier;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * What Java objects hold at one moment, and puts it back: fields that are not final, static ones
 * included, arrays, collections, maps and atomic variables, in all objects that can be reached.
 *
 * <p>Contents of NDArrays, of random generators and of other objects of the platform stay as they
 * are. Only a bounded number of objects is looked at, and collections and arrays up to a length:
 * large ones hold records rather than state.
 */
final class JavaState {
  private static final int MOST_OBJECTS = 20_000;
  private static final int LONGEST = 10_000;
  private static final List<String> CLOSED_PACKAGES =
      List.of("java.", "javax.", "jdk.", "sun.", "com.sun.", "org.slf4j.", "ai.djl.pytorch.");

  private final Set<Object> seen = Collections.newSetFromMap(new IdentityHashMap<>());
  private final Queue<Object> waiting = new ArrayDeque<>();
  private final List<Runnable> restorers = new ArrayList<>();

  private JavaState() {}

  /** Notes what the objects that can be reached from an object hold now. */
  static JavaState of(Object root) {
    JavaState state = new JavaState();
    state.reach(root);
    while (!state.waiting.isEmpty()) {
      state.note(state.waiting.remove());
    }
    return state;
  }

  /** Puts back what has changed since. */
  void putBack() {
    restorers.forEach(Runnable::run);
  }

  private void reach(@Nullable Object object) {
    if (object != null && seen.size() < MOST_OBJECTS && !isClosed(object) && seen.add(object)) {
      waiting.add(object);
    }
  }

  private static boolean isClosed(Object object) {
    if (object instanceof NDArray
        || object instanceof NDManager
        || object instanceof Engine
        || object instanceof Model
        || object instanceof Thread
        || object instanceof ClassLoader
        || object instanceof Enum<?>) {
      return true;
    }
    boolean container =
        object instanceof Collection<?>
            || object instanceof Map<?, ?>
            || object instanceof AtomicReference<?>
            || object instanceof AtomicInteger
            || object instanceof AtomicLong
            || object instanceof AtomicBoolean
            || object.getClass().isArray();
    String name = object.getClass().getName();
    return !container && CLOSED_PACKAGES.stream().anyMatch(name::startsWith);
  }

  private void note(Object object) {
    if (object.getClass().isArray()) {
      noteArray(object);
    } else if (object instanceof AtomicReference<?> reference) {
      noteReference(reference);
    } else if (object instanceof AtomicInteger number) {
      int value = number.get();
      restorers.add(() -> number.set(value));
    } else if (object instanceof AtomicLong number) {
      long value = number.get();
      restorers.add(() -> number.set(value));
    } else if (object instanceof AtomicBoolean flag) {
      boolean value = flag.get();
      restorers.add(() -> flag.set(value));
    } else if (object instanceof Map<?, ?> map) {
      noteMap(map);
    } else if (object instanceof Collection<?> collection) {
      noteCollection(collection);
    } else {
      for (Class<?> c = object.getClass(); c != null && c != Object.class; c = c.getSuperclass()) {
        noteFields(object, c);
      }
    }
  }

  private <T> void noteReference(AtomicReference<T> reference) {
    T value = reference.get();
    reach(value);
    restorers.add(() -> reference.set(value));
  }

  private void noteArray(Object array) {
    int length = Array.getLength(array);
    if (length > LONGEST) {
      return;
    }
    Object copy = Array.newInstance(array.getClass().getComponentType(), length);
    System.arraycopy(array, 0, copy, 0, length);
    restorers.add(() -> System.arraycopy(copy, 0, array, 0, length));
    if (array instanceof Object[] elements) {
      for (Object element : elements) {
        reach(element);
      }
    }
  }

  private <K, V> void noteMap(Map<K, V> map) {
    if (map.size() > LONGEST) {
      return;
    }
    List<K> keys = new ArrayList<>();
    List<V> values = new ArrayList<>();
    map.forEach(
        (key, value) -> {
          keys.add(key);
          values.add(value);
          reach(key);
          reach(value);
        });
    restorers.add(
        () -> {
          if (!areSame(map.keySet(), keys) || !areSame(map.values(), values)) {
            map.clear();
            for (int i = 0; i < keys.size(); i++) {
              map.put(keys.get(i), values.get(i));
            }
          }
        });
  }

  private <E> void noteCollection(Collection<E> collection) {
    if (collection.size() > LONGEST) {
      return;
    }
    List<E> elements = new ArrayList<>(collection);
    elements.forEach(this::reach);
    restorers.add(
        () -> {
          if (!areSame(collection, elements)) {
            collection.clear();
            collection.addAll(elements);
          }
        });
  }

  private static boolean areSame(Collection<?> now, List<?> before) {
    Iterator<?> expected = before.iterator();
    for (Object element : now) {
      if (!expected.hasNext() || element != expected.next()) {
        return false;
      }
    }
    return !expected.hasNext();
  }

  private void noteFields(@Nullable Object object, Class<?> type) {
    if (CLOSED_PACKAGES.stream().anyMatch(type.getName()::startsWith)) {
      return;
    }
    for (Field field : type.getDeclaredFields()) {
      try {
        field.setAccessible(true);
        boolean fixed = Modifier.isFinal(field.getModifiers());
        Object value = field.get(object);
        if (!field.getType().isPrimitive()) {
          reach(value);
        }
        if (!fixed) {
          restorers.add(() -> restore(field, object, value));
        }
      } catch (IllegalAccessException | InaccessibleObjectException closed) {
        // A module that does not show its fields keeps its state to itself.
      }
    }
  }

  private static void restore(Field field, @Nullable Object object, @Nullable Object value) {
    try {
      field.set(object, value);
    } catch (IllegalAccessException e) {
      throw new IllegalStateException(field + " could be read and must be writable", e);
    }
  }
}
