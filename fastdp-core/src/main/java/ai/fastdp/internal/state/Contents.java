/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.state;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * All that a value holds, taken down in an order that depends on what it holds alone. Objects that
 * were there before stand for themselves, as their own places are looked at; new ones are numbered.
 */
final class Contents {
  private static final int DEEPEST = 2_000;

  private final Places classes;
  private final Set<Object> known;
  private final IdentityHashMap<Object, Integer> numbers = new IdentityHashMap<>();
  private final List<@Nullable Object> values = new ArrayList<>();
  private final List<NDArray> arrays = new ArrayList<>();
  private boolean reading = true;
  private int depth;

  Contents(Places classes, Set<Object> known) {
    this.classes = classes;
    this.known = known;
  }

  private record Same(Object object) {
    @Override
    @SuppressWarnings("ReferenceEquality") // The very object.
    public boolean equals(@Nullable Object other) {
      return other instanceof Same same && same.object == object;
    }

    @Override
    public int hashCode() {
      return System.identityHashCode(object);
    }
  }

  /** Takes down what a place holds. */
  void add(@Nullable Object picture, Object owner) {
    if (ReachableState.isArray(owner)) {
      array((NDArray) owner);
    } else {
      picture(picture);
    }
  }

  /** Finds the new arrays that a picture leads to, without reading their values. */
  void find(@Nullable Object picture) {
    reading = false;
    picture(picture);
  }

  Object[] values() {
    return values.toArray();
  }

  List<NDArray> arrays() {
    return arrays;
  }

  private void picture(@Nullable Object picture) {
    if (picture instanceof Object[] elements) {
      values.add(elements.length);
      for (Object element : elements) {
        value(element);
      }
    } else if (picture != null && picture.getClass().isArray()) {
      values.add(picture);
    } else {
      value(picture);
    }
  }

  private void value(@Nullable Object value) {
    if (value == null || PlaceKind.isPlain(value)) {
      values.add(value);
    } else if (ReachableState.isArray(value)) {
      if (!known.contains(value)) {
        arrays.add((NDArray) value);
      }
      array((NDArray) value);
    } else if (known.contains(value) || value instanceof Class || value instanceof Enum) {
      values.add(new Same(value));
    } else if (value instanceof Shape) {
      values.add(value.toString());
    } else {
      object(value);
    }
  }

  private void object(Object object) {
    Integer number = numbers.putIfAbsent(object, numbers.size());
    if (number != null) {
      values.add(number);
      return;
    }
    values.add(object.getClass().getName());
    ClassPlaces found = classes.ofObjects(object.getClass());
    if (++depth > DEEPEST) {
      throw new IllegalStateException(
          "what a pass leaves in Java objects must be at most "
              + DEEPEST
              + " objects deep, got a longer chain; keep lists in arrays or the JDK's collections");
    }
    found.changing().forEach(field -> value(field.read(object)));
    found.fixed().forEach(field -> value(field.read(object)));
    if (found.content() != null) {
      picture(found.content().read(object));
    } else if (found.isEmpty() && object instanceof Comparable) {
      // Values of the JDK, such as dates and identifiers.
      values.add(object.toString());
    }
    depth--;
  }

  private void array(NDArray array) {
    if (!reading) {
      return;
    }
    if (!ReachableState.isOpen(array)) {
      values.add("closed");
      return;
    }
    values.add(array.getShape().toString());
    values.add(array.getDataType());
    try (NDArray plain = array.stopGradient();
        NDArray wide = plain.toType(DataType.FLOAT64, true)) {
      values.add(wide.toDoubleArray());
    }
  }
}
