/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.state;

import java.lang.reflect.Field;
import org.jspecify.annotations.Nullable;

/**
 * A field of an object, or of a class if it is static.
 *
 * @param field the field, made accessible
 */
record FieldPlace(Field field) implements PlaceKind {
  @Override
  public @Nullable Object read(Object owner) {
    try {
      return field.get(owner);
    } catch (IllegalAccessException e) {
      throw inaccessible(field, e);
    }
  }

  @Override
  public boolean holds(Object owner, @Nullable Object picture) {
    return PlaceKind.isSame(read(owner), picture);
  }

  @Override
  public void write(Object owner, @Nullable Object picture) {
    try {
      field.set(owner, picture);
    } catch (IllegalAccessException e) {
      throw inaccessible(field, e);
    }
  }

  @Override
  public void undo(Object owner, @Nullable Object before, @Nullable Object after) {
    if (holds(owner, after)) {
      write(owner, before);
    }
  }

  @Override
  public String name(Object owner) {
    return "field '" + field.getName() + "' of " + field.getDeclaringClass().getName();
  }

  static IllegalStateException inaccessible(Field field, Exception cause) {
    return new IllegalStateException(
        "field '"
            + field.getName()
            + "' of "
            + field.getDeclaringClass().getName()
            + " must be accessible to be watched for state, got one that is not; open its package"
            + " to fastdp",
        cause);
  }
}
