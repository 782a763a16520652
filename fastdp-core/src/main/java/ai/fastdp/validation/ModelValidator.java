/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.validation;

import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.util.Pair;
import ai.fastdp.ghost.GhostRules;
import ai.fastdp.hook.HookedModel;
import ai.fastdp.hook.HookedModel.Located;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

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
  private ModelValidator() {}

  /**
   * Lists the problems of a model, by the rules that ship with the library.
   *
   * @param root the model's block, initialized or not
   * @return every problem, in the order of the blocks; empty if the model can be attached
   * @throws IllegalStateException if an engine is attached to the model
   */
  public static List<ModelProblem> validate(Block root) {
    return validate(root, GhostRules.standard());
  }

  /**
   * Lists the problems of a model.
   *
   * @param root the model's block, initialized or not
   * @param rules the layers whose per-sample gradients are exact
   * @return every problem, in the order of the blocks; empty if the model can be attached
   * @throws IllegalStateException if an engine is attached to the model
   */
  public static List<ModelProblem> validate(Block root, GhostRules rules) {
    HookedModel.requireDetached(root);
    List<Located> blocks = HookedModel.walk(root);
    List<ModelProblem> problems = new ArrayList<>();
    boolean trains = false;
    for (Located located : blocks) {
      boolean trainable = !trainable(located.block()).isEmpty();
      trains |= trainable;
      if (located.block() instanceof BatchNorm) {
        problems.add(
            problem(
                located,
                "mixes samples through batch statistics, trainable or not",
                "replace it by GroupNorm, as ModelValidator.fix does"));
      } else if (trainable) {
        unfit(located, rules).ifPresent(problems::add);
        notFloat32(located).ifPresent(problems::add);
      }
    }
    if (!trains) {
      problems.add(
          problem(blocks.get(0), "has no trainable parameter", "unfreeze some of its blocks"));
    }
    return List.copyOf(problems);
  }

  private static Optional<ModelProblem> unfit(Located located, GhostRules rules) {
    if (!rules.support(located.block())) {
      return Optional.of(
          problem(
              located,
              "has no rule for per-sample gradients of " + named(trainable(located.block())),
              "freeze its parameters (freezeParameters(true)) or use a supported layer in its"
                  + " place"));
    }
    return HookedModel.unmetCondition(located.block())
        .map(
            condition ->
                problem(
                    located,
                    "must " + condition + " to be trained privately",
                    "change its class or freeze its parameters (freezeParameters(true))"));
  }

  private static Optional<ModelProblem> notFloat32(Located located) {
    List<Pair<String, Parameter>> others =
        trainable(located.block()).stream()
            .filter(p -> p.getValue().isInitialized())
            .filter(p -> p.getValue().getArray().getDataType() != DataType.FLOAT32)
            .toList();
    return others.isEmpty()
        ? Optional.empty()
        : Optional.of(
            problem(
                located,
                "has trainable parameters of another type than float32: "
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
