/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

import ai.djl.Model;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Multiplication;
import ai.djl.nn.recurrent.RecurrentBlock;
import ai.djl.nn.transformer.IdEmbedding;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.util.Pair;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.WeakHashMap;

/**
 * A model in which twins take the place of some layers.
 *
 * <p>A twin takes the layer's place wherever a block of the model holds it ({@link BlockReplacer}).
 * It shares the layer's {@code Parameter} objects, so that saving, loading and inference do not
 * change. {@link #detach()} puts every layer back.
 */
public final class HookedModel {
  // Parameters of the models that are attached now: not every such layer has a twin to find.
  private static final Set<Parameter> ATTACHED =
      Collections.synchronizedSet(Collections.newSetFromMap(new WeakHashMap<>()));

  private final Model model;
  private final List<Located> layers;
  private final IdentityHashMap<Block, Block> twins;
  private final IdentityHashMap<Block, Block> cutTwins = new IdentityHashMap<>();
  private final IdentityHashMap<Parameter, LayerHook> tables;
  private final BlockReplacer replacer = new BlockReplacer();
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
   * @param recorder the recorder that the hooks report to
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
        for (Located holder : holdersWithTwins(model.getBlock(), layer.block())) {
          if (!twins.containsKey(holder.block())) {
            BlockHook guard = new CutHook(holder.path(), recorder, layer);
            twins.put(holder.block(), factory.twin(holder.path(), holder.block(), guard));
          }
        }
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
    hooked.replaceAll(twins);
    owners.forEach(owner -> ATTACHED.addAll(owner.block().getParameters().values()));
    return hooked;
  }

  /** Finds the innermost blocks that hold a block and can have twins. */
  private static List<Located> holdersWithTwins(Block root, Block held) {
    List<Located> holders =
        walk(root).stream()
            .filter(located -> located.block().getChildren().values().contains(held))
            .toList();
    List<Located> found = new ArrayList<>();
    for (Located holder : holders) {
      if (TwinFactory.canTwin(holder.block().getClass())) {
        found.add(holder);
      } else {
        found.addAll(holdersWithTwins(root, holder.block()));
      }
    }
    return found;
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
   * @param recorder the recorder that the hooks report to
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
        BlockHook hook = new CutHook(candidate.path(), recorder, null);
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
   * @param root the model's block
   * @throws IllegalStateException if one is
   */
  public static void requireDetached(Block root) {
    for (Located located : walk(root)) {
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
   * Returns the condition for hooking that a layer does not meet.
   *
   * @param layer a layer that owns parameters
   * @return the condition that its class does not meet, to follow "must"; empty if there is none
   */
  public static Optional<String> unmetCondition(Block layer) {
    return layer instanceof IdEmbedding
        ? Optional.empty()
        : TwinFactory.unmetCondition(layer.getClass());
  }

  /**
   * A block and the names of the children that lead to it, joined by slashes.
   *
   * @param path the path; the class's name for the root
   * @param block the block
   */
  public record Located(String path, Block block) {}

  /**
   * Lists the blocks of a model, parents first, each block once under its first path.
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
   * Returns the user's block whose place a block of the model has taken.
   *
   * @param block a block of the attached model
   * @return the user's block; the block itself if it is no twin
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
    // In reverse order: blocks that hold layers first.
    putBack(cutTwins);
    putBack(twins);
  }

  private void putBack(IdentityHashMap<Block, Block> replaced) {
    IdentityHashMap<Block, Block> originals = new IdentityHashMap<>();
    replaced.forEach(
        (block, twin) -> {
          // Copy back what changed in the twin, such as shapes read from a file.
          if (!(twin instanceof StandIn)) {
            TwinFactory.copyFields(twin, block, block.getClass());
          }
          originals.put(twin, block);
        });
    setRoot(replacer.restore(model.getBlock(), originals));
  }

  private void replaceAll(IdentityHashMap<Block, Block> replacements) {
    setRoot(replacer.replace(model.getBlock(), replacements));
  }

  private void setRoot(Block root) {
    if (root != model.getBlock()) {
      model.setBlock(root);
    }
  }
}
