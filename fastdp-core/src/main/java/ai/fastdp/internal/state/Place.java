/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.state;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A place in the objects that a model reaches, and what it held when it was looked at. */
public final class Place {
  private final Object owner;
  private final PlaceKind kind;
  private final @Nullable Place from;
  private @Nullable Object seen;

  Place(Object owner, PlaceKind kind, @Nullable Place from) {
    this.owner = owner;
    this.kind = kind;
    this.from = from;
    seen = kind.read(owner);
  }

  Object owner() {
    return owner;
  }

  @Nullable Object seen() {
    return seen;
  }

  /** {@return whether the place still holds what it held} */
  public boolean isUnchanged() {
    return kind.holds(owner, seen);
  }

  /** Puts back what the place held, with arrays that were closed since made again. */
  void putBack(KeptArrays arrays) {
    seen = arrays.opened(seen);
    kind.write(owner, seen);
  }

  /** {@return a key of the place, equal for places of one object and field} */
  public Object key() {
    return new Key(owner, kind);
  }

  /**
   * Takes a picture of what the place holds now.
   *
   * @return the picture, for {@link #write} and {@link #undo}
   */
  public @Nullable Object now() {
    return kind.read(owner);
  }

  /**
   * Has the place hold what it held at another time.
   *
   * @param picture what {@link #now} gave then
   */
  public void write(@Nullable Object picture) {
    kind.write(owner, picture);
  }

  /**
   * {@return what a whole number in this place has been raised by since it was looked at; null for
   * anything else}
   *
   * @param picture what it holds now
   */
  public @Nullable Long raised(@Nullable Object picture) {
    return isWhole(seen) && isWhole(picture) ? number(picture) - number(seen) : null;
  }

  private static Long number(@Nullable Object whole) {
    return ((Number) Objects.requireNonNull(whole)).longValue();
  }

  private static boolean isWhole(@Nullable Object picture) {
    return picture instanceof Integer
        || picture instanceof Long
        || picture instanceof Short
        || picture instanceof Byte;
  }

  /**
   * Takes back what a pass wrote, and leaves what others have written since.
   *
   * @param after what the pass left
   * @param arrays the arrays that are kept
   */
  void undo(@Nullable Object after, KeptArrays arrays) {
    seen = arrays.opened(seen);
    kind.undo(owner, seen, after);
  }

  /** Names the place, and the field that leads to it, to follow "in". */
  @Override
  public String toString() {
    Place above = from;
    return kind.name(owner)
        + (kind instanceof FieldPlace || above == null ? "" : " that is held in " + above);
  }

  private record Key(Object owner, PlaceKind kind) {
    @Override
    @SuppressWarnings("ReferenceEquality") // The very object.
    public boolean equals(@Nullable Object other) {
      return other instanceof Key key && key.owner == owner && key.kind.equals(kind);
    }

    @Override
    public int hashCode() {
      return System.identityHashCode(owner) + 31 * kind.hashCode();
    }
  }
}
