/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.state;

import org.jspecify.annotations.Nullable;

/**
 * How a kind of place is read, compared and written. What a place holds is taken down in a picture,
 * which later writes do not change: a reference, a boxed number, or a copied array of these.
 */
interface PlaceKind {
  /** Takes a picture of what the place holds. */
  @Nullable Object read(Object owner);

  /** Tells whether the place holds what a picture shows. */
  boolean holds(Object owner, @Nullable Object picture);

  /** Has the place hold what a picture shows. */
  void write(Object owner, @Nullable Object picture);

  /**
   * Takes back what was written between two pictures, and leaves what others have written since.
   *
   * @param before what the place held before
   * @param after what was written
   */
  void undo(Object owner, @Nullable Object before, @Nullable Object after);

  /** Names the place, to follow "in". */
  String name(Object owner);

  /** Whether two pictures of one value are the same: the same object, or equal plain values. */
  @SuppressWarnings("ReferenceEquality") // The very object.
  static boolean isSame(@Nullable Object one, @Nullable Object other) {
    return one == other || (one != null && isPlain(one) && one.equals(other));
  }

  /** Whether an object is a plain value that never changes. */
  static boolean isPlain(Object object) {
    return (object instanceof Number && object.getClass().getName().startsWith("java.lang."))
        || object instanceof String
        || object instanceof Boolean
        || object instanceof Character;
  }
}
