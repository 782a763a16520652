/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.hook;

import ai.djl.nn.Block;
import ai.djl.util.PairList;
import ai.fastdp.hook.HookedModel.Located;
import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Puts blocks in the place of others wherever a block of a model holds them: in the list of
 * children and in every field, directly or inside a collection, map or array.
 *
 * <p>Containers that cannot be changed get a copy in their place; a second call with the reverse of
 * the first one's replacements puts the very same containers back.
 */
public final class BlockReplacer {
  // Fixed lists, sets and maps of the model, by the copies that stand in for them.
  private final IdentityHashMap<Object, Object> containers = new IdentityHashMap<>();

  /** Creates a replacer that has replaced nothing yet. */
  public BlockReplacer() {}

  /**
   * Replaces blocks.
   *
   * @param root the model's block
   * @param replacements for each block to replace the one that takes its place, by identity
   * @return what takes the place of the root; the root itself unless it is to be replaced
   * @throws IllegalStateException if a field of a block is not accessible
   */
  public Block replace(Block root, IdentityHashMap<Block, Block> replacements) {
    for (Located located : HookedModel.walk(root)) {
      replaceFields(located.block(), replacements);
    }
    return replacements.getOrDefault(root, root);
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
            field.set(owner, replaced);
          }
        } catch (ReflectiveOperationException | RuntimeException e) {
          throw new IllegalStateException(
              "field '" + field.getName() + "' of " + c.getName() + " must be accessible", e);
        }
      }
    }
  }

  /** The value with every layer replaced: itself where it could be changed in place. */
  private @Nullable Object replaced(
      @Nullable Object value, IdentityHashMap<Block, Block> replacements)
      throws ReflectiveOperationException {
    Object original = value == null ? null : containers.get(value);
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
      for (int i = 0; i < array.length; i++) {
        Array.set(array, i, replaced(array[i], replacements));
      }
      return value;
    }
    return value;
  }

  @SuppressWarnings("unchecked")
  private Object replacedList(List<?> list, IdentityHashMap<Block, Block> replacements)
      throws ReflectiveOperationException {
    List<@Nullable Object> copy = new ArrayList<>(list.size());
    if (!copyReplaced(list, copy, replacements)) {
      return list;
    }
    try {
      for (int i = 0; i < copy.size(); i++) {
        ((List<@Nullable Object>) list).set(i, copy.get(i));
      }
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
    try {
      ((Set<@Nullable Object>) set).clear();
      ((Set<@Nullable Object>) set).addAll(copy);
      return set;
    } catch (UnsupportedOperationException e) {
      return standIn(Collections.unmodifiableSet(copy), set);
    }
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
    try {
      for (Map.Entry<Object, @Nullable Object> entry : copy.entrySet()) {
        ((Map<Object, @Nullable Object>) map).put(entry.getKey(), entry.getValue());
      }
      return map;
    } catch (UnsupportedOperationException e) {
      return standIn(Collections.unmodifiableMap(copy), map);
    }
  }
}
