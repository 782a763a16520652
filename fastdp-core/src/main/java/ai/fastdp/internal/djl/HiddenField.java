/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.djl;

import java.lang.reflect.Field;
import org.jspecify.annotations.Nullable;

/** A private field of a DJL class, with a setting that no method of DJL returns. */
public final class HiddenField {
  private final Field field;

  private HiddenField(Field field) {
    this.field = field;
  }

  /**
   * Finds a field.
   *
   * @param owner the class that declares it
   * @param name the field's name
   * @return the field
   * @throws LinkageError if this version of DJL has no such field
   */
  public static HiddenField of(Class<?> owner, String name) {
    try {
      Field field = owner.getDeclaredField(name);
      field.setAccessible(true);
      return new HiddenField(field);
    } catch (NoSuchFieldException e) {
      throw new LinkageError(
          "this version of DJL keeps " + owner.getSimpleName() + "." + name + " elsewhere", e);
    }
  }

  /**
   * Reads the field.
   *
   * @param object an instance of the class
   * @return the value; null if none is set
   */
  public @Nullable Object read(Object object) {
    try {
      return field.get(object);
    } catch (IllegalAccessException e) {
      throw new LinkageError(name() + " is not accessible", e);
    }
  }

  /**
   * Reads a field that must be set.
   *
   * @param object an instance of the class
   * @return the value
   * @throws IllegalArgumentException if none is set
   */
  public Object require(Object object) {
    Object value = read(object);
    if (value == null) {
      throw new IllegalArgumentException(
          field.getName()
              + " of "
              + field.getDeclaringClass().getSimpleName()
              + " must be set, got none; set it on the builder");
    }
    return value;
  }

  private String name() {
    return field.getDeclaringClass().getSimpleName() + "." + field.getName();
  }
}
