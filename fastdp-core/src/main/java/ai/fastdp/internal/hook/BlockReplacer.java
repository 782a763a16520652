/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

import ai.djl.nn.Block;
import ai.djl.util.PairList;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.Deque;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Puts blocks in the place of others wherever a block of a model holds them: in the list of
 * children and in every field, directly or inside a collection, map or array.
 *
 * <p>Containers that cannot be changed get a copy in their place.
 */
public final class BlockReplacer {
  // Fixed lists, sets and maps of the model, by the copies that stand in for them.
  private final IdentityHashMap<Object, Object> containers = new IdentityHashMap<>();
  // The changes made so far; all are undone if a later one fails.
  private final Deque<Edit> edits = new ArrayDeque<>();
  private boolean restoring;

  /** Creates a replacer that has replaced nothing yet. */
  public BlockReplacer() {}

  /**
   * Replaces blocks.
   *
   * @param root the model's block
   * @param replacements for each block to replace the one that takes its place, by identity
   * @return the new root; the root itself unless it is replaced
   * @throws IllegalArgumentException if a field that holds a block is of too narrow a type
   * @throws IllegalStateException if a field that may hold a block is not accessible; the model is
   *     as it was
   */
  public Block replace(Block root, IdentityHashMap<Block, Block> replacements) {
    restoring = false;
    return replaceAll(root, replacements);
  }

  /**
   * Undoes a replacement and puts the original containers back. Replacements are undone in reverse.
   *
   * @param root the model's block
   * @param replacements the reverse of those of {@link #replace}
   * @return the root
   */
  Block restore(Block root, IdentityHashMap<Block, Block> replacements) {
    restoring = true;
    return replaceAll(root, replacements);
  }

  private Block replaceAll(Block root, IdentityHashMap<Block, Block> replacements) {
    Set<Block> owners = Collections.newSetFromMap(new IdentityHashMap<>());
    HookedModel.walk(root).forEach(located -> owners.add(located.block()));
    // A block with parts may have a twin too: both hold the parts.
    owners.addAll(replacements.keySet());
    owners.addAll(replacements.values());
    try {
      for (Block owner : owners) {
        if (!(owner instanceof StandIn)) {
          replaceFields(owner, replacements);
        }
      }
    } catch (RuntimeException e) {
      takeBack();
      throw e;
    }
    edits.clear();
    return replacements.getOrDefault(root, root);
  }

  /** Undoes one change of the model. */
  @FunctionalInterface
  private interface Edit {
    void undo() throws ReflectiveOperationException;
  }

  /** Undoes all changes, the latest first. */
  private void takeBack() {
    while (!edits.isEmpty()) {
      try {
        edits.pop().undo();
      } catch (ReflectiveOperationException e) {
        throw new LinkageError("a field that could be written cannot be written back", e);
      }
    }
  }

  private void replaceFields(Object owner, IdentityHashMap<Block, Block> replacements) {
    for (Class<?> c = owner.getClass(); c != null && c != Object.class; c = c.getSuperclass()) {
      for (Field field : c.getDeclaredFields()) {
        if (Modifier.isStatic(field.getModifiers()) || field.getType().isPrimitive()) {
          continue;
        }
        try {
          field.setAccessible(true);
          Object value = field.get(owner);
          Object replaced = replaced(value, replacements);
          if (replaced != value) {
            requireHolds(
                field.getType(), replaced, "field '" + field.getName() + "' of " + c.getName());
            field.set(owner, replaced);
            edits.push(() -> field.set(owner, value));
          }
        } catch (UnheldException e) {
          throw e;
        } catch (ReflectiveOperationException | RuntimeException e) {
          throw new IllegalStateException(
              "field '" + field.getName() + "' of " + c.getName() + " must be accessible", e);
        }
      }
    }
  }

  /** Signals that a field or array of the model cannot hold the replacement. */
  private static final class UnheldException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    UnheldException(String message) {
      super(message);
    }
  }

  private static void requireHolds(Class<?> type, @Nullable Object replaced, String place) {
    if (!(replaced instanceof Block) || type.isInstance(replaced)) {
      return;
    }
    boolean standIn = replaced instanceof StandIn;
    throw new UnheldException(
        place
            + " must be declared as "
            + Block.class.getName()
            + " to hold "
            + (standIn
                ? "a block that cannot be subclassed and runs sample by sample"
                : "a " + replaced.getClass().getSimpleName())
            + ", got type "
            + type.getName()
            + "; declare it so"
            + (standIn ? ", or name the block that holds it in optSampleBySample" : ""));
  }

  /**
   * Finds a field of a model that holds a block and cannot hold one of another class.
   *
   * @param root the model's block
   * @param block a block of the model
   * @param type the other class
   * @return the place and its type, to follow "in"; empty if the block can be replaced
   */
  public static Optional<String> narrowPlace(Block root, Block block, Class<?> type) {
    for (HookedModel.Located owner : HookedModel.walk(root)) {
      for (Class<?> c = owner.block().getClass(); c != Object.class; c = c.getSuperclass()) {
        for (Field field : c.getDeclaredFields()) {
          if (!Modifier.isStatic(field.getModifiers())
              && isNarrow(field, owner.block(), block, type)) {
            return Optional.of("field '" + field.getName() + "' of " + c.getName());
          }
        }
      }
    }
    return Optional.empty();
  }

  private static boolean isNarrow(Field field, Block owner, Block block, Class<?> type) {
    try {
      field.setAccessible(true);
      Object value = field.get(owner);
      return value == block
          ? !field.getType().isAssignableFrom(type)
          : value instanceof Object[] array
              && Arrays.asList(array).contains(block)
              && !array.getClass().getComponentType().isAssignableFrom(type);
    } catch (ReflectiveOperationException | RuntimeException e) {
      // A replacement fails at the same field, with an error that names it.
      return false;
    }
  }

  /** Replaces every layer in a value; returns the value itself where it was changed in place. */
  private @Nullable Object replaced(
      @Nullable Object value, IdentityHashMap<Block, Block> replacements)
      throws ReflectiveOperationException {
    Object original = value == null || !restoring ? null : containers.get(value);
    if (original != null) {
      return original;
    } else if (value instanceof Block block) {
      Block replacement = replacements.get(block);
      return replacement == null ? value : replacement;
    } else if (value instanceof PairList<?, ?>) {
      replaceFields(value, replacements);
      return value;
    } else if (value instanceof List<?> list) {
      return replacedList(list, replacements);
    } else if (value instanceof Set<?> set) {
      return replacedSet(set, replacements);
    } else if (value instanceof Map<?, ?> map) {
      return replacedMap(map, replacements);
    } else if (value instanceof Object[] array) {
      replaceElements(array, replacements);
      return value;
    }
    return value;
  }

  private void replaceElements(Object[] array, IdentityHashMap<Block, Block> replacements)
      throws ReflectiveOperationException {
    for (int i = 0; i < array.length; i++) {
      int at = i;
      Object before = array[i];
      Object replaced = replaced(before, replacements);
      if (replaced != before) {
        requireHolds(array.getClass().getComponentType(), replaced, "an array of the model");
        array[i] = replaced;
        edits.push(() -> array[at] = before);
      }
    }
  }

  @SuppressWarnings("unchecked")
  private Object replacedList(List<?> list, IdentityHashMap<Block, Block> replacements)
      throws ReflectiveOperationException {
    List<@Nullable Object> copy = new ArrayList<>(list.size());
    if (!copyReplaced(list, copy, replacements)) {
      return list;
    }
    List<@Nullable Object> before = new ArrayList<>(list);
    List<@Nullable Object> target = (List<@Nullable Object>) list;
    try {
      setAll(target, copy);
      edits.push(() -> setAll(target, before));
      return list;
    } catch (UnsupportedOperationException e) {
      return standIn(Collections.unmodifiableList(copy), list);
    }
  }

  @SuppressWarnings("unchecked")
  private Object replacedSet(Set<?> set, IdentityHashMap<Block, Block> replacements)
      throws ReflectiveOperationException {
    Set<@Nullable Object> copy = new LinkedHashSet<>();
    if (!copyReplaced(set, copy, replacements)) {
      return set;
    }
    Set<@Nullable Object> before = new LinkedHashSet<>(set);
    Set<@Nullable Object> target = (Set<@Nullable Object>) set;
    try {
      refill(target, copy);
      edits.push(() -> refill(target, before));
      return set;
    } catch (UnsupportedOperationException e) {
      return standIn(Collections.unmodifiableSet(copy), set);
    }
  }

  private static void setAll(List<@Nullable Object> list, List<@Nullable Object> values) {
    for (int i = 0; i < values.size(); i++) {
      list.set(i, values.get(i));
    }
  }

  private static void refill(Set<@Nullable Object> set, Set<@Nullable Object> values) {
    set.clear();
    set.addAll(values);
  }

  /** Puts entry by entry: a map may refuse to take them all at once. */
  private static void putAll(
      Map<Object, @Nullable Object> map, Map<Object, @Nullable Object> entries) {
    entries.forEach(map::put);
  }

  private Object standIn(Object copy, Object original) {
    containers.put(copy, original);
    return copy;
  }

  private boolean copyReplaced(
      Collection<?> from,
      Collection<@Nullable Object> to,
      IdentityHashMap<Block, Block> replacements)
      throws ReflectiveOperationException {
    boolean changed = false;
    for (Object element : from) {
      Object replaced = replaced(element, replacements);
      changed |= replaced != element;
      to.add(replaced);
    }
    return changed;
  }

  @SuppressWarnings("unchecked")
  private Object replacedMap(Map<?, ?> map, IdentityHashMap<Block, Block> replacements)
      throws ReflectiveOperationException {
    Map<Object, @Nullable Object> copy = new LinkedHashMap<>();
    boolean changed = false;
    for (Map.Entry<?, ?> entry : map.entrySet()) {
      Object replaced = replaced(entry.getValue(), replacements);
      changed |= replaced != entry.getValue();
      copy.put(entry.getKey(), replaced);
    }
    if (!changed) {
      return map;
    }
    Map<Object, @Nullable Object> before = new LinkedHashMap<>(map);
    Map<Object, @Nullable Object> target = (Map<Object, @Nullable Object>) map;
    try {
      putAll(target, copy);
      edits.push(() -> putAll(target, before));
      return map;
    } catch (UnsupportedOperationException e) {
      return standIn(Collections.unmodifiableMap(copy), map);
    }
  }
}
