/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.nn.AbstractBaseBlock;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.fastdp.internal.hook.ForwardMethod;
import ai.fastdp.internal.hook.LayerRecord;
import ai.fastdp.internal.hook.SampleGraphs;
import ai.fastdp.rule.Contributions;
import ai.fastdp.rule.GhostRule;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The layers whose per-sample gradients are exact, and the rule of each.
 *
 * <p>A rule holds for the classes that run the forward function it knows: a subclass that overrides
 * {@code forwardInternal} has no rule, and neither has any class that is not listed.
 */
public final class GhostRules {
  private static final GhostRules STANDARD =
      new GhostRules(
          List.of(
              new LinearRule(),
              new TiedLinearRule(),
              new EmbeddingRule(),
              new ConvolutionRule(),
              new LinearCollectionRule(),
              new MultiplicationRule(),
              new LayerNormRule(),
              new ChannelNormRule(),
              new RMSNormRule(),
              new FrozenBatchNormRule(),
              new RecurrentRule(),
              new AddedParameterRule()),
          Map.of());

  private final List<LayerRule> shipped;
  private final Map<Class<? extends Block>, GhostRule> added;
  // Finding a forward function takes reflection, and every use of a layer needs its rule.
  private final Map<Class<?>, Optional<GhostRule>> ruleOf = new ConcurrentHashMap<>();

  private GhostRules(List<LayerRule> shipped, Map<Class<? extends Block>, GhostRule> added) {
    this.shipped = shipped;
    this.added = Map.copyOf(added);
  }

  /**
   * Returns the rules that ship with the library.
   *
   * @return the rules
   */
  public static GhostRules standard() {
    return STANDARD;
  }

  /**
   * Lists the classes that declare the forward functions that the shipped rules know. Blocks of
   * these classes, and of subclasses that leave the forward function alone, have a rule.
   *
   * @return the classes, some of them abstract
   */
  public List<Class<? extends Block>> forwards() {
    List<Class<? extends Block>> all = new ArrayList<>();
    shipped.forEach(rule -> all.addAll(rule.forwards()));
    return all;
  }

  /**
   * Extends these rules by one for a user's class of blocks.
   *
   * @param type a class that can be instantiated; the rule holds for this class and not for its
   *     subclasses
   * @param rule the rule
   * @return the extended rules
   * @throws IllegalArgumentException if the class has a rule already, which would be replaced, or
   *     cannot be instantiated
   */
  public GhostRules with(Class<? extends Block> type, GhostRule rule) {
    if (type.isInterface() || Modifier.isAbstract(type.getModifiers())) {
      throw new IllegalArgumentException(
          "type must be a class that can be instantiated, got "
              + type.getName()
              + "; add the rule for each of its subclasses");
    }
    if (added.containsKey(type) || shippedForwards(type)) {
      throw new IllegalArgumentException(
          "type must not have a rule yet, got "
              + type.getName()
              + "; override forwardInternal in a class of your own and add a rule for that");
    }
    Map<Class<? extends Block>, GhostRule> extended = new HashMap<>(added);
    extended.put(type, rule);
    return new GhostRules(shipped, extended);
  }

  /**
   * Returns whether blocks of a class run a forward function that one of the shipped rules knows.
   */
  private boolean shippedForwards(Class<? extends Block> type) {
    return AbstractBaseBlock.class.isAssignableFrom(type)
        && shipped.stream()
            .flatMap(rule -> rule.forwards().stream())
            .anyMatch(owner -> ForwardMethod.of(type).getDeclaringClass() == owner);
  }

  /**
   * Returns whether a layer has a rule.
   *
   * @param layer a block that owns parameters
   * @return true if its per-sample gradients are exact
   */
  public boolean support(Block layer) {
    return rule(layer).isPresent();
  }

  /**
   * Returns whether a layer's input must be kept for the gradients of its trainable parameters.
   *
   * @param layer a supported layer
   * @return false where output gradients are enough, as for a layer of which only the bias trains
   */
  public boolean needInput(Block layer) {
    return require(layer).needsInput(layer);
  }

  /**
   * Returns whether the formed gradients of a layer's samples can be much smaller than the
   * activations and output gradients that they are made of. Then it pays to form them early.
   *
   * @param layer a supported layer
   * @return true for convolutions
   */
  public boolean shrink(Block layer) {
    return require(layer) instanceof LayerRule rule && rule.shrinks(layer);
  }

  /**
   * Adds the contributions of one use of a layer, or of one sample-by-sample run of a block, to a
   * micro-batch's gradients.
   *
   * @param use the recorded use
   * @param outputGradient (B, ...) gradient of the sum of per-sample losses by the layer's output
   * @param gradients the micro-batch's gradients
   */
  public void contribute(LayerRecord use, NDArray outputGradient, PerSampleGradients gradients) {
    SampleGraphs samples = use.samples();
    if (samples == null) {
      require(use.block()).contribute(use, outputGradient, gradients.contributions());
    } else {
      addSamples(samples, outputGradient, gradients.contributions());
    }
  }

  /** Adds the gradients of samples that have separate graphs, by back-propagation in each. */
  private static void addSamples(
      SampleGraphs samples, NDArray outputGradient, Contributions contributions) {
    List<NDArray> arrays = samples.parameters().stream().map(Parameter::getArray).toList();
    Workspace workspace = Workspace.of(contributions);
    NDList results =
        workspace
            .graph()
            .sampleGradients(workspace.manager(), samples.outputs(), outputGradient, arrays);
    for (int k = 0; k < results.size(); k++) {
      if (results.get(k).size() > 0) {
        contributions.addDense(samples.parameters().get(k), results.get(k));
      }
    }
  }

  private GhostRule require(Block layer) {
    return rule(layer)
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "layer must have a rule, got " + layer.getClass().getName()));
  }

  private Optional<GhostRule> rule(Block layer) {
    return ruleOf.computeIfAbsent(layer.getClass(), this::find);
  }

  private Optional<GhostRule> find(Class<?> layer) {
    GhostRule rule = added.get(layer);
    if (rule != null) {
      return Optional.of(rule);
    }
    return shipped.stream()
        .filter(r -> r.forwards().stream().anyMatch(owner -> runsForwardOf(owner, layer)))
        .map(GhostRule.class::cast)
        .findFirst();
  }

  /** Returns whether blocks of a class run the forward function that {@code owner} declares. */
  private static boolean runsForwardOf(Class<?> owner, Class<?> layer) {
    return owner.isAssignableFrom(layer) && ForwardMethod.of(layer).getDeclaringClass() == owner;
  }

  /** Returns the layer's direct trainable parameter of that name, if it has one. */
  static Optional<Parameter> trainable(Block layer, String name) {
    Parameter parameter = layer.getDirectParameters().get(name);
    return Optional.ofNullable(parameter).filter(Parameter::requiresGradient);
  }
}
