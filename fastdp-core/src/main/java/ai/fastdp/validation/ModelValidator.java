/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.validation;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.util.Pair;
import ai.fastdp.internal.ghost.GhostRules;
import ai.fastdp.internal.hook.BlockReplacer;
import ai.fastdp.internal.hook.HookedModel;
import ai.fastdp.internal.hook.HookedModel.Located;
import ai.fastdp.internal.kernel.FloatType;
import ai.fastdp.nn.FrozenBatchNorm;
import ai.fastdp.nn.GroupNorm;
import java.util.ArrayList;
import java.util.Collection;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * Finds what keeps a model from being trained privately.
 *
 * <pre>{@code
 * ModelValidator.validate(model.getBlock()).forEach(System.out::println);
 * }</pre>
 *
 * <p>{@code PrivacyEngine.attach} validates and refuses a model with problems. Validation reads the
 * model's blocks and runs nothing: that samples do not influence each other, that every parameter
 * has a path to the loss and is read inside its own layer alone, is checked on the first batch.
 */
public final class ModelValidator {
  private static final int LARGEST_GROUPS = 32;

  private ModelValidator() {}

  /**
   * Lists the problems of a model, by the rules that ship with the library.
   *
   * @param root the model's block, initialized or not
   * @return every problem, in the order of the blocks; empty if the model can be attached
   * @throws IllegalStateException if an engine is attached to the model
   */
  public static List<ModelProblem> validate(Block root) {
    return validate(root, GhostRules.standard(), List.of());
  }

  /**
   * Lists the problems of a model.
   *
   * @param root the model's block, initialized or not
   * @param rules the layers whose per-sample gradients are exact
   * @param sampleBySample the paths of blocks that run sample by sample, as in {@code
   *     PrivacyEngineBuilder.optSampleBySample}
   * @return every problem, in the order of the blocks; empty if the model can be attached
   * @throws IllegalStateException if an engine is attached to the model
   */
  public static List<ModelProblem> validate(
      Block root, GhostRules rules, Collection<String> sampleBySample) {
    HookedModel.requireDetached(root);
    List<Located> blocks = HookedModel.walk(root);
    SampleBySampleBlocks whole = new SampleBySampleBlocks(blocks, sampleBySample);
    List<ModelProblem> problems = new ArrayList<>(whole.problems());
    boolean trains = false;
    for (Located located : blocks) {
      boolean trainable = !trainable(located.block()).isEmpty();
      trains |= trainable;
      if (located.block() instanceof BatchNorm) {
        problems.add(
            problem(
                located,
                "mixes samples through batch statistics, trainable or not",
                new BatchNormRemedy(root, located).text()));
      } else if (trainable) {
        if (!whole.covers(located.block())) {
          unfit(located, rules).ifPresent(problems::add);
        }
        otherType(located).ifPresent(problems::add);
      }
    }
    if (!trains) {
      problems.add(
          problem(blocks.get(0), "has no trainable parameter", "unfreeze some of its blocks"));
    }
    return List.copyOf(problems);
  }

  /**
   * Replaces every BatchNorm of a model by a GroupNorm, in place: wherever a block of the model
   * holds it, in fields, lists, maps or arrays.
   *
   * <p>The number of groups is gcd(32, channels), as in Opacus. Scale and shift carry over where
   * the model is initialized, and so does which of them is trained; the running statistics, which
   * GroupNorm has no use for, are given up. What a model computes changes, so that a trained one
   * wants fine-tuning; {@link #freezeStatistics} keeps what it computes.
   *
   * @param root the model's block, initialized or not
   * @return what was replaced, in the order of the blocks; empty if there was no BatchNorm
   * @throws IllegalStateException if an engine is attached to the model
   * @throws IllegalArgumentException if the root itself is a BatchNorm, or one of the model's
   *     cannot be replaced; nothing is changed
   */
  public static List<Replacement> fix(Block root) {
    return replaceBatchNorms(root, ModelValidator::groupNorm);
  }

  /**
   * Replaces every BatchNorm of a model by a {@link FrozenBatchNorm} with the same scale, shift and
   * statistics, in place. What the model computes in inference does not change; in training it
   * computes the same, and the statistics stay as they are.
   *
   * <p>The statistics were learned from earlier training's data, which this training's guarantee
   * does not cover: for weights that are public.
   *
   * @param root the model's block, with weights
   * @return what was replaced, in the order of the blocks; empty if there was no BatchNorm
   * @throws IllegalStateException if an engine is attached to the model
   * @throws IllegalArgumentException if the root itself is a BatchNorm, or one of the model's
   *     cannot be replaced; nothing is changed
   */
  public static List<Replacement> freezeStatistics(Block root) {
    return replaceBatchNorms(root, ModelValidator::frozenBatchNorm);
  }

  private static List<Replacement> replaceBatchNorms(
      Block root, Function<Located, Substitute> substitute) {
    HookedModel.requireDetached(root);
    if (root instanceof BatchNorm) {
      throw new IllegalArgumentException(
          "root must hold BatchNorms and not be one, got "
              + root.getClass().getName()
              + "; put the GroupNorm where you made it");
    }
    List<Replacement> replacements = new ArrayList<>();
    IdentityHashMap<Block, Block> blocks = new IdentityHashMap<>();
    for (Located located : HookedModel.walk(root)) {
      if (located.block() instanceof BatchNorm) {
        Substitute made = substitute.apply(located);
        blocks.put(located.block(), made.block());
        replacements.add(
            new Replacement(
                located.path(), located.block().getClass().getName(), made.description()));
      }
    }
    new BlockReplacer().replace(root, blocks);
    return List.copyOf(replacements);
  }

  /** What takes a block's place, and what to call it. */
  private record Substitute(Block block, String description) {}

  private static Substitute groupNorm(Located located) {
    BatchNorm norm = ownBatchNorm(located);
    if (BatchNormTraits.axis(norm) != 1) {
      throw new IllegalArgumentException(
          "layer '"
              + located.path()
              + "' must have its channels on axis 1 to be replaced by GroupNorm, got axis "
              + BatchNormTraits.axis(norm)
              + "; "
              + BatchNormRemedy.ANEW);
    }
    GroupNorm group =
        GroupNorm.builder()
            .setCommonGroups(LARGEST_GROUPS)
            .optEpsilon(BatchNormTraits.epsilon(norm))
            .build();
    Parameter scale = norm.getDirectParameters().get("gamma");
    boolean initialized = norm.isInitialized();
    if (!initialized && scale.isInitialized()) {
      throw new IllegalArgumentException(
          "layer '"
              + located.path()
              + "' must know its input shape to keep its weights, got weights without one; call"
              + " initialize on the model first");
    }
    if (initialized) {
      NDArray array = scale.getArray();
      group.initialize(array.getManager(), array.getDataType(), norm.getInputShapes());
    }
    for (Pair<String, Parameter> pair : group.getDirectParameters()) {
      Parameter before = norm.getDirectParameters().get(pair.getKey());
      pair.getValue().freeze(true);
      if (initialized) {
        before.getArray().copyTo(pair.getValue().getArray());
      }
      pair.getValue().freeze(!before.requiresGradient());
    }
    return new Substitute(
        group,
        initialized
            ? "GroupNorm of "
                + group.groups(scale.getShape().get(0))
                + " groups, same scale and shift"
            : "GroupNorm of gcd(" + LARGEST_GROUPS + ", channels) groups");
  }

  private static Substitute frozenBatchNorm(Located located) {
    BatchNorm norm = ownBatchNorm(located);
    if (norm.getDirectParameters().values().stream().anyMatch(p -> !p.isInitialized())) {
      throw new IllegalArgumentException(
          "layer '"
              + located.path()
              + "' must have statistics to keep, got none; load the model's weights first");
    }
    return new Substitute(
        FrozenBatchNorm.of(norm), "FrozenBatchNorm, same scale, shift and statistics");
  }

  /** What a subclass of a user's does is not known. */
  private static BatchNorm ownBatchNorm(Located located) {
    BatchNorm norm = (BatchNorm) located.block();
    if (!BatchNormRemedy.isDjls(norm)) {
      throw new IllegalArgumentException(
          "layer '"
              + located.path()
              + "' must be DJL's own BatchNorm to be replaced, got "
              + norm.getClass().getName()
              + "; "
              + BatchNormRemedy.ANEW);
    }
    return norm;
  }

  private static Optional<ModelProblem> unfit(Located located, GhostRules rules) {
    if (!rules.support(located.block())) {
      return Optional.of(
          problem(
              located,
              "has no rule for per-sample gradients of " + named(trainable(located.block())),
              "freeze its parameters (freezeParameters(true)), use a supported layer in its place,"
                  + " or"
                  + sampleBySample(located)));
    }
    return HookedModel.unmetCondition(located.block())
        .map(
            condition ->
                problem(
                    located,
                    "must " + condition + " to be trained privately",
                    "change its class, freeze its parameters (freezeParameters(true)), or"
                        + sampleBySample(located)));
  }

  private static String sampleBySample(Located located) {
    return " run it sample by sample with PrivacyEngineBuilder.optSampleBySample(\""
        + located.path()
        + "\")";
  }

  private static Optional<ModelProblem> otherType(Located located) {
    List<Pair<String, Parameter>> others =
        trainable(located.block()).stream()
            .filter(p -> p.getValue().isInitialized())
            .filter(p -> !FloatType.mayBe(p.getValue().getArray().getDataType()))
            .toList();
    return others.isEmpty()
        ? Optional.empty()
        : Optional.of(
            problem(
                located,
                "has trainable parameters of another type than float32, bfloat16 or float16: "
                    + String.join(
                        ", ",
                        others.stream()
                            .map(
                                p ->
                                    "'" + p.getKey() + "' " + p.getValue().getArray().getDataType())
                            .toList()),
                "load or cast the model to float32"));
  }

  private static List<Pair<String, Parameter>> trainable(Block block) {
    List<Pair<String, Parameter>> found = new ArrayList<>();
    for (Pair<String, Parameter> pair : block.getDirectParameters()) {
      if (pair.getValue().requiresGradient()) {
        found.add(pair);
      }
    }
    return found;
  }

  private static String named(List<Pair<String, Parameter>> parameters) {
    return String.join(
        ", ",
        parameters.stream()
            .map(pair -> "'" + pair.getKey() + "' " + pair.getValue().getShape())
            .toList());
  }

  private static ModelProblem problem(Located located, String problem, String remedy) {
    return new ModelProblem(located.path(), located.block().getClass().getName(), problem, remedy);
  }
}
