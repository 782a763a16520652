/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.state;

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Where objects of a class keep what they hold.
 *
 * @param changing fields that may be written to
 * @param fixed final fields that refer to other objects
 * @param content how the content of an array, a collection and the like is read; null where all is
 *     in fields
 */
record ClassPlaces(List<FieldPlace> changing, List<FieldPlace> fixed, @Nullable PlaceKind content) {

  /**
   * Finds the places of a class's objects.
   *
   * @param isOpen tells for the class, and each class above it, whether its fields are looked at
   */
  static ClassPlaces ofObjects(Class<?> type, Predicate<Class<?>> isOpen) {
    List<FieldPlace> changing = new ArrayList<>();
    List<FieldPlace> fixed = new ArrayList<>();
    if (!type.isArray()) {
      for (Class<?> c = type; c != null; c = c.getSuperclass()) {
        if (isOpen.test(c)) {
          add(c, false, changing, fixed);
        }
      }
    }
    return new ClassPlaces(
        List.copyOf(changing), List.copyOf(fixed), ContentPlace.of(type).orElse(null));
  }

  /** Finds a class's own static fields. */
  static ClassPlaces ofStatics(Class<?> type) {
    List<FieldPlace> changing = new ArrayList<>();
    List<FieldPlace> fixed = new ArrayList<>();
    add(type, true, changing, fixed);
    return new ClassPlaces(List.copyOf(changing), List.copyOf(fixed), null);
  }

  /** Whether nothing can be held. */
  boolean isEmpty() {
    return changing.isEmpty() && fixed.isEmpty() && content == null;
  }

  private static void add(
      Class<?> c, boolean ofClass, List<FieldPlace> changing, List<FieldPlace> fixed) {
    for (Field field : c.getDeclaredFields()) {
      boolean isFinal = Modifier.isFinal(field.getModifiers());
      if (Modifier.isStatic(field.getModifiers()) != ofClass
          || (isFinal && (field.getType().isPrimitive() || field.getType() == String.class))) {
        continue;
      }
      try {
        field.setAccessible(true);
      } catch (RuntimeException e) {
        throw FieldPlace.inaccessible(field, e);
      }
      (isFinal ? fixed : changing).add(new FieldPlace(field));
    }
  }
}
