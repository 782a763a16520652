/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.hook;

import ai.djl.Model;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Multiplication;
import ai.djl.nn.recurrent.RecurrentBlock;
import ai.djl.nn.transformer.IdEmbedding;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.util.Pair;
import ai.djl.util.PairList;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Deque;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.WeakHashMap;
import org.jspecify.annotations.Nullable;

/**
 * A model some of whose layers have given their place to twins.
 *
 * <p>A twin takes the layer's place wherever a block of the model holds it: in the list of children
 * and in every field, directly or inside a collection, map or array. It shares the layer's {@code
 * Parameter} objects, so that saving, loading and inference do not change. {@link #detach()} puts
 * every layer back.
 */
public final class HookedModel {
  // Parameters of models that are attached now. Not all of them have twins that would show it.
  private static final Set<Parameter> ATTACHED =
      Collections.synchronizedSet(Collections.newSetFromMap(new WeakHashMap<>()));

  private final Model model;
  private final List<Located> layers;
  private final IdentityHashMap<Block, Block> twins;
  private final IdentityHashMap<Block, Block> cutTwins = new IdentityHashMap<>();
  private final IdentityHashMap<Parameter, LayerHook> tables;
  // Fixed lists, sets and maps of the model, by the copies with twins that stand in for them.
  private final IdentityHashMap<Object, Object> containers = new IdentityHashMap<>();
  // What has been changed, to take it back should a later change fail.
  private final Deque<Edit> edits = new ArrayDeque<>();
  private boolean attached = true;

  private HookedModel(
      Model model,
      List<Located> layers,
      IdentityHashMap<Block, Block> twins,
      IdentityHashMap<Parameter, LayerHook> tables) {
    this.model = model;
    this.layers = List.copyOf(layers);
    this.twins = twins;
    this.tables = tables;
  }

  /**
   * Hooks layers of a model, and its TorchScript blocks.
   *
   * @param model the model
   * @param layers the layers to hook
   * @param sampleBySample the blocks to run on one sample at a time
   * @param recorder what the hooks report to
   * @return the hooked model
   * @throws IllegalArgumentException if a layer's class cannot be subclassed
   * @throws IllegalStateException if a field that may hold a layer is not accessible; the model is
   *     as it was
   */
  public static HookedModel attach(
      Model model, List<Located> layers, List<Located> sampleBySample, ForwardRecorder recorder) {
    TwinFactory factory = new TwinFactory();
    IdentityHashMap<Block, Block> twins = new IdentityHashMap<>();
    // All twins are made before the first takes its place: a failure leaves the model as it was.
    IdentityHashMap<Parameter, LayerHook> tables = new IdentityHashMap<>();
    for (Located located : sampleBySample) {
      Block block = located.block();
      LayerHook hook =
          new LayerHook(located.path(), block, recorder, new SampleBySampleForward(block));
      boolean twin = TwinFactory.canTwin(block.getClass());
      twins.put(block, twin ? factory.twin(located.path(), block, hook) : new StandIn(hook));
    }
    for (Located layer : layers) {
      LayerHook hook = hook(layer, recorder);
      if (layer.block() instanceof IdEmbedding) {
        // A final class; its table records the look-ups.
        tables.put(layer.block().getDirectParameters().valueAt(0), hook);
      } else {
        twins.put(layer.block(), factory.twin(layer.path(), layer.block(), hook));
      }
    }
    for (Located located : walk(model.getBlock())) {
      Block block = located.block();
      if (block instanceof PtSymbolBlock
          && !twins.containsKey(block)
          && TwinFactory.canTwin(block.getClass())) {
        ScriptedForward script = new ScriptedForward();
        twins.put(
            block,
            factory.twin(
                located.path(), block, new LayerHook(located.path(), block, recorder, script)));
      }
    }
    List<Located> owners = new ArrayList<>(layers);
    owners.addAll(sampleBySample);
    HookedModel hooked = new HookedModel(model, owners, twins, tables);
    try {
      hooked.replaceAll(twins);
    } catch (RuntimeException e) {
      hooked.takeBack();
      throw e;
    }
    hooked.edits.clear();
    owners.forEach(owner -> ATTACHED.addAll(owner.block().getParameters().values()));
    return hooked;
  }

  private static LayerHook hook(Located layer, ForwardRecorder recorder) {
    RecordedForward recorded =
        layer.block() instanceof RecurrentBlock recurrent
            ? new UnrolledForward(layer.path(), recurrent, recorder.kernels())
            : layer.block() instanceof Multiplication
                ? new UnitsFirstForward()
                : RecordedForward.OWN;
    return new LayerHook(layer.path(), layer.block(), recorder, recorded);
  }

  /**
   * Hooks the blocks at whose outputs the graph may be cut, and tells the recorder to cut there.
   *
   * @param recorder what the hooks report to
   */
  public void hookCuts(ForwardRecorder recorder) {
    IdentityHashMap<Block, String> paths = new IdentityHashMap<>();
    for (Located located : walk(model.getBlock())) {
      paths.put(located.block(), located.path());
    }
    // The tree has twins in it now; a layer's twin cuts by itself.
    List<Located> hooked = new ArrayList<>();
    for (Located layer : layers) {
      Block twin = twins.get(layer.block());
      hooked.add(new Located(layer.path(), twin == null ? layer.block() : twin));
    }
    List<Located> candidates = CutCandidates.of(model.getBlock(), hooked, paths::get);
    TwinFactory factory = new TwinFactory();
    Set<String> cuts = new LinkedHashSet<>();
    for (Located candidate : candidates) {
      if (candidate.block() instanceof HookedBlock) {
        cuts.add(candidate.path());
      } else if (TwinFactory.canTwin(candidate.block().getClass())) {
        BlockHook hook = new CutHook(candidate.path(), recorder);
        cutTwins.put(candidate.block(), factory.twin(candidate.path(), candidate.block(), hook));
        cuts.add(candidate.path());
      }
    }
    replaceAll(cutTwins);
    recorder.cutAt(cuts);
  }

  /**
   * Checks that no engine is attached to any layer of a model.
   *
   * @param model the model
   * @throws IllegalStateException if one is
   */
  public static void requireDetached(Model model) {
    for (Located located : walk(model.getBlock())) {
      if (located.block() instanceof HookedBlock
          || located.block().getDirectParameters().values().stream().anyMatch(ATTACHED::contains)) {
        throw new IllegalStateException(
            "model must not be attached already, got one whose layer '"
                + located.path()
                + "' is; detach() or close() its trainer first");
      }
    }
  }

  /**
   * A block and the names of the children that lead to it, joined by slashes.
   *
   * @param path the path; the class's name for the root
   * @param block the block
   */
  public record Located(String path, Block block) {}

  /**
   * The blocks of a model, parents first, each block once under its first path.
   *
   * @param root the model's block
   * @return the blocks in the order of the tree
   */
  public static List<Located> walk(Block root) {
    List<Located> found = new ArrayList<>();
    Set<Block> seen = Collections.newSetFromMap(new IdentityHashMap<>());
    visit(root, "", seen, found);
    return found;
  }

  private static void visit(Block block, String path, Set<Block> seen, List<Located> found) {
    if (!seen.add(block)) {
      return;
    }
    found.add(new Located(path.isEmpty() ? block.getClass().getSimpleName() : path, block));
    for (Pair<String, Block> child : block.getChildren()) {
      String name = path.isEmpty() ? child.getKey() : path + "/" + child.getKey();
      visit(child.getValue(), name, seen, found);
    }
  }

  /**
   * The tables that record their own look-ups, because their layers' class is final.
   *
   * @return the layers' hooks by table, by identity
   */
  public Map<Parameter, LayerHook> tables() {
    return Collections.unmodifiableMap(tables);
  }

  /**
   * The user's own block in whose place a block of the model stands.
   *
   * @param block a block of the attached model
   * @return the user's block; the block itself where no other stands in its place
   */
  public Block original(Block block) {
    return twins.entrySet().stream()
        .filter(entry -> entry.getValue() == block)
        .map(Map.Entry::getKey)
        .findFirst()
        .orElse(block);
  }

  /** Puts every layer back in its place; has no effect the second time. */
  public void detach() {
    if (!attached) {
      return;
    }
    attached = false;
    layers.forEach(layer -> ATTACHED.removeAll(layer.block().getParameters().values()));
    // In the other order than they came: blocks that hold layers first.
    putBack(cutTwins);
    putBack(twins);
  }

  private void putBack(IdentityHashMap<Block, Block> replaced) {
    IdentityHashMap<Block, Block> originals = new IdentityHashMap<>();
    replaced.forEach(
        (block, twin) -> {
          // What the twin learned while it stood in (shapes read from a file, say) goes back.
          if (!(twin instanceof StandIn)) {
            TwinFactory.copyFields(twin, block, block.getClass());
          }
          originals.put(twin, block);
        });
    replaceAll(originals);
    edits.clear();
  }

  /** A change of the model, undone. */
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

  private void replaceAll(IdentityHashMap<Block, Block> replacements) {
    Block root = model.getBlock();
    Set<Block> owners = Collections.newSetFromMap(new IdentityHashMap<>());
    walk(root).forEach(located -> owners.add(located.block()));
    // A block with parts may have a twin too: both hold the parts.
    owners.addAll(replacements.keySet());
    owners.addAll(replacements.values());
    for (Block owner : owners) {
      if (!(owner instanceof StandIn)) {
        replaceFields(owner, replacements);
      }
    }
    Block newRoot = replacements.get(root);
    if (newRoot != null) {
      model.setBlock(newRoot);
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

  /** A place of the model whose type is too narrow for a stand-in. */
  private static final class UnheldException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    UnheldException(String message) {
      super(message);
    }
  }

  private static void requireHolds(Class<?> type, @Nullable Object replaced, String place) {
    if (replaced instanceof StandIn standIn && !type.isInstance(standIn)) {
      throw new UnheldException(
          place
              + " must be declared as "
              + Block.class.getName()
              + " to hold a block that cannot be subclassed and runs sample by sample, got type "
              + type.getName()
              + "; declare it so, or name the block that holds it in optMicroBatched");
    }
  }

  /** The value with every layer replaced: itself where it could be changed in place. */
  private @Nullable Object replaced(
      @Nullable Object value, IdentityHashMap<Block, Block> replacements)
      throws ReflectiveOperationException {
    Object original = value == null || attached ? null : containers.get(value);
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
