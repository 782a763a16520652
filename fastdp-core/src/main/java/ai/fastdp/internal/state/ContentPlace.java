/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.state;

import java.lang.reflect.Array;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collection;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.atomic.DoubleAdder;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.BiConsumer;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * What an array, or an object of a JDK class whose fields cannot be read, holds: a collection, a
 * map, an atomic number, a buffer.
 *
 * @param type the class
 * @param reader takes the picture
 * @param writer writes it back
 * @param <T> the class
 */
record ContentPlace<T>(
    Class<T> type, Function<T, @Nullable Object> reader, BiConsumer<T, Object> writer)
    implements PlaceKind {
  private static final PlaceKind ARRAY = new ArrayContent();

  @SuppressWarnings({"unchecked", "rawtypes"}) // What is read is written back.
  private static final List<ContentPlace<?>> KINDS =
      List.of(
          new ContentPlace<>(Collection.class, Collection::toArray, ContentPlace::refill),
          new ContentPlace<>(Map.class, ContentPlace::entries, ContentPlace::refill),
          new ContentPlace<>(AtomicInteger.class, AtomicInteger::get, (a, v) -> a.set((int) v)),
          new ContentPlace<>(AtomicLong.class, AtomicLong::get, (a, v) -> a.set((long) v)),
          new ContentPlace<>(AtomicBoolean.class, AtomicBoolean::get, (a, v) -> a.set((boolean) v)),
          reference(),
          new ContentPlace<>(
              AtomicIntegerArray.class,
              a -> IntStream.range(0, a.length()).map(a::get).toArray(),
              (a, v) -> IntStream.range(0, a.length()).forEach(i -> a.set(i, ((int[]) v)[i]))),
          new ContentPlace<>(
              AtomicLongArray.class,
              a -> IntStream.range(0, a.length()).mapToLong(a::get).toArray(),
              (a, v) -> IntStream.range(0, a.length()).forEach(i -> a.set(i, ((long[]) v)[i]))),
          referenceArray(),
          new ContentPlace<>(
              LongAdder.class, LongAdder::sum, (a, v) -> a.add((long) v - a.sumThenReset())),
          new ContentPlace<>(
              DoubleAdder.class,
              DoubleAdder::sum,
              (a, v) -> {
                a.reset();
                a.add((double) v);
              }),
          new ContentPlace<>(
              BitSet.class,
              BitSet::toLongArray,
              (a, v) -> {
                a.clear();
                a.or(BitSet.valueOf((long[]) v));
              }),
          new ContentPlace<>(
              StringBuilder.class,
              StringBuilder::toString,
              (a, v) -> a.replace(0, a.length(), (String) v)),
          stringBuffer(),
          new ContentPlace<>(java.nio.Buffer.class, BufferContent::read, BufferContent::write),
          threadLocal(),
          // What these refer to is looked at; they always refer to the same.
          new ContentPlace<>(Optional.class, a -> a.orElse(null), (a, v) -> {}),
          new ContentPlace<>(java.lang.ref.Reference.class, a -> a.get(), (a, v) -> {}),
          new ContentPlace<>(
              Map.Entry.class, a -> new Object[] {a.getKey(), a.getValue()}, ContentPlace::reset));

  /** Finds how the content of a class's objects is read; none where it is all in fields. */
  static Optional<PlaceKind> of(Class<?> type) {
    if (type.isArray()) {
      return Optional.of(ARRAY);
    }
    return KINDS.stream()
        .filter(kind -> kind.type.isAssignableFrom(type))
        .<PlaceKind>map(kind -> kind)
        .findFirst();
  }

  @Override
  public @Nullable Object read(Object owner) {
    return reader.apply(type.cast(owner));
  }

  @Override
  public boolean holds(Object owner, @Nullable Object picture) {
    return isSamePicture(read(owner), picture);
  }

  static boolean isSamePicture(@Nullable Object one, @Nullable Object other) {
    if (one instanceof Object[] these && other instanceof Object[] those) {
      boolean same = these.length == those.length;
      for (int i = 0; same && i < these.length; i++) {
        same = PlaceKind.isSame(these[i], those[i]);
      }
      return same;
    }
    return (one != null && other != null && one.getClass().isArray())
        ? Arrays.deepEquals(new Object[] {one}, new Object[] {other})
        : PlaceKind.isSame(one, other);
  }

  @Override
  public void write(Object owner, @Nullable Object picture) {
    writer.accept(type.cast(owner), Objects.requireNonNull(picture));
  }

  @Override
  @SuppressWarnings({"unchecked", "rawtypes"})
  public void undo(Object owner, @Nullable Object before, @Nullable Object after) {
    if (holds(owner, after)) {
      write(owner, before);
    } else if (owner instanceof Collection collection) {
      Set<Object> added = identities((Object[]) Objects.requireNonNull(after));
      added.removeAll(identities((Object[]) Objects.requireNonNull(before)));
      collection.removeIf(added::contains);
    } else if (owner instanceof Map map) {
      Map<Object, Object> old = pairs((Object[]) Objects.requireNonNull(before));
      pairs((Object[]) Objects.requireNonNull(after))
          .forEach(
              (key, value) -> {
                if (!PlaceKind.isSame(map.get(key), value)
                    || PlaceKind.isSame(old.get(key), value)) {
                  return;
                }
                if (old.containsKey(key)) {
                  map.put(key, old.get(key));
                } else {
                  map.remove(key);
                }
              });
    }
  }

  private static Set<Object> identities(Object[] elements) {
    Set<Object> set = java.util.Collections.newSetFromMap(new IdentityHashMap<>());
    set.addAll(Arrays.asList(elements));
    return set;
  }

  private static Map<Object, Object> pairs(Object[] entries) {
    Map<Object, Object> pairs = new LinkedHashMap<>();
    for (int i = 0; i < entries.length; i += 2) {
      pairs.put(entries[i], entries[i + 1]);
    }
    return pairs;
  }

  @Override
  public String name(Object owner) {
    return "a " + owner.getClass().getSimpleName();
  }

  @SuppressWarnings({"unchecked", "rawtypes"})
  private static void refill(Collection collection, Object picture) {
    Object[] elements = (Object[]) picture;
    if (collection instanceof List list && list.size() == elements.length) {
      for (int i = 0; i < elements.length; i++) {
        list.set(i, elements[i]);
      }
    } else {
      collection.clear();
      collection.addAll(Arrays.asList(elements));
    }
  }

  @SuppressWarnings({"unchecked", "rawtypes"})
  private static void refill(Map map, Object picture) {
    map.clear();
    pairs((Object[]) picture).forEach(map::put);
  }

  @SuppressWarnings({"unchecked", "rawtypes"})
  private static void reset(Map.Entry entry, Object picture) {
    entry.setValue(((Object[]) picture)[1]);
  }

  private static Object entries(Map<?, ?> map) {
    List<@Nullable Object> all = new ArrayList<>(2 * map.size());
    map.forEach(
        (key, value) -> {
          all.add(key);
          all.add(value);
        });
    return all.toArray();
  }

  @SuppressWarnings("JdkObsolete") // A user's class may hold one.
  private static ContentPlace<StringBuffer> stringBuffer() {
    return new ContentPlace<>(
        StringBuffer.class, StringBuffer::toString, (a, v) -> a.replace(0, a.length(), (String) v));
  }

  @SuppressWarnings({"unchecked", "rawtypes"})
  private static ContentPlace<AtomicReference> reference() {
    return new ContentPlace<>(
        AtomicReference.class, a -> new Object[] {a.get()}, (a, v) -> a.set(((Object[]) v)[0]));
  }

  @SuppressWarnings({"unchecked", "rawtypes"})
  private static ContentPlace<AtomicReferenceArray> referenceArray() {
    return new ContentPlace<>(
        AtomicReferenceArray.class,
        a -> IntStream.range(0, a.length()).mapToObj(a::get).toArray(),
        (a, v) -> IntStream.range(0, a.length()).forEach(i -> a.set(i, ((Object[]) v)[i])));
  }

  @SuppressWarnings({"unchecked", "rawtypes"})
  private static ContentPlace<ThreadLocal> threadLocal() {
    return new ContentPlace<>(
        ThreadLocal.class, a -> new Object[] {a.get()}, (a, v) -> a.set(((Object[]) v)[0]));
  }

  /** The elements of an array. */
  private static final class ArrayContent implements PlaceKind {
    @Override
    public Object read(Object owner) {
      int length = Array.getLength(owner);
      Object copy = Array.newInstance(owner.getClass().getComponentType(), length);
      System.arraycopy(owner, 0, copy, 0, length);
      return copy;
    }

    @Override
    public boolean holds(Object owner, @Nullable Object picture) {
      return isSamePicture(owner, picture);
    }

    @Override
    public void write(Object owner, @Nullable Object picture) {
      System.arraycopy(Objects.requireNonNull(picture), 0, owner, 0, Array.getLength(owner));
    }

    @Override
    public void undo(Object owner, @Nullable Object before, @Nullable Object after) {
      for (int i = 0; i < Array.getLength(owner); i++) {
        if (PlaceKind.isSame(Array.get(owner, i), Array.get(Objects.requireNonNull(after), i))) {
          Array.set(owner, i, Array.get(Objects.requireNonNull(before), i));
        }
      }
    }

    @Override
    public String name(Object owner) {
      return "an array " + owner.getClass().getSimpleName();
    }
  }
}
