/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.pass;

import static java.util.stream.Collectors.joining;

import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.util.Pair;
import ai.fastdp.internal.ghost.GhostRules;
import ai.fastdp.internal.hook.HookedModel;
import ai.fastdp.internal.hook.HookedModel.Located;
import ai.fastdp.internal.kernel.FloatType;
import ai.fastdp.kernel.TorchScriptModule;
import ai.fastdp.validation.ModelProblem;
import ai.fastdp.validation.ModelValidator;
import ai.fastdp.validation.SampleBySampleBlocks;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;

/**
 * The parameters of a model that train, each once, and the layers that own them.
 *
 * <p>Made when an engine is attached; a model that cannot be trained exactly is refused there, with
 * every reason at once.
 */
public final class TrainableParameters {
  private final List<String> paths = new ArrayList<>();
  private final List<Parameter> parameters = new ArrayList<>();
  private final IdentityHashMap<Parameter, Integer> numbers = new IdentityHashMap<>();
  private final List<Located> layers = new ArrayList<>();
  private final List<Located> sampleBySample = new ArrayList<>();

  /**
   * Collects the trainable parameters of a model.
   *
   * @param root the model's block
   * @param rules the rules of layers
   * @param namedPaths the paths of blocks that run sample by sample
   * @throws IllegalArgumentException naming every problem, if the model cannot be trained exactly
   */
  public TrainableParameters(Block root, GhostRules rules, Collection<String> namedPaths) {
    List<ModelProblem> problems = ModelValidator.validate(root, rules, namedPaths);
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException(
          problems.stream()
              .map(ModelProblem::toString)
              .collect(joining("\n  ", "model must be privately trainable, got:\n  ", "")));
    }
    List<Located> blocks = HookedModel.walk(root);
    SampleBySampleBlocks whole = new SampleBySampleBlocks(blocks, namedPaths);
    sampleBySample.addAll(whole.blocks());
    for (Located located : blocks) {
      boolean trains = false;
      for (Pair<String, Parameter> pair : located.block().getDirectParameters()) {
        if (pair.getValue().requiresGradient()) {
          add(located.path() + "/" + pair.getKey(), pair.getValue());
          trains = true;
        }
      }
      if (trains && !whole.covers(located.block())) {
        layers.add(located);
      }
    }
  }

  public List<Located> layers() {
    return Collections.unmodifiableList(layers);
  }

  /** Returns the blocks that run sample by sample. */
  public List<Located> sampleBySample() {
    return Collections.unmodifiableList(sampleBySample);
  }

  public List<Parameter> parameters() {
    return Collections.unmodifiableList(parameters);
  }

  public List<String> paths() {
    return Collections.unmodifiableList(paths);
  }

  public Set<Parameter> asSet() {
    return Collections.unmodifiableSet(numbers.keySet());
  }

  /** Checks that a set has all of the parameters, which are those that the loss depends on. */
  public void requireAllIn(Set<Parameter> reached) {
    List<String> missing = new ArrayList<>();
    for (int k = 0; k < parameters().size(); k++) {
      if (!reached.contains(parameters().get(k))) {
        missing.add("'" + paths().get(k) + "'");
      }
    }
    if (!missing.isEmpty()) {
      throw new IllegalStateException(
          "every trainable parameter must have a path to the loss, got none for "
              + String.join(", ", missing)
              + "; freeze them, use their layers in the forward pass, or drop layers less often where that"
              + " is by chance");
    }
  }

  /** Returns the number of a parameter in {@link #parameters()}. */
  public int number(Parameter parameter) {
    Integer number = numbers.get(parameter);
    if (number == null) {
      throw new IllegalStateException(
          "parameter '"
              + parameter.getName()
              + "' must have been trainable when the engine was attached; attach again");
    }
    return number;
  }

  /** Checks what is known only once the parameters have arrays. */
  public void requireReady(TorchScriptModule kernels) {
    for (int k = 0; k < parameters.size(); k++) {
      Parameter parameter = parameters.get(k);
      if (!parameter.isInitialized()) {
        throw new IllegalStateException(
            "parameter '"
                + paths.get(k)
                + "' must be initialized before training; call trainer.initialize(shapes)");
      }
      if (parameter.getShape() == null) {
        // DJL leaves out the shapes of a TorchScript block's parameters.
        parameter.setArray(parameter.getArray());
      }
      if (FloatType.of(kernels, parameter.getArray()).isEmpty()) {
        throw new IllegalArgumentException(
            "parameter '"
                + paths.get(k)
                + "' must be float32, bfloat16 or float16, got "
                + parameter.getArray().getDataType()
                + "; load or cast the model to float32");
      }
      if (!parameter.requiresGradient()) {
        throw new IllegalStateException(
            "parameter '"
                + paths.get(k)
                + "' must stay trainable while the engine is attached; detach, freeze it, attach"
                + " again");
      }
      // A parameter that was read from a file does not have it yet; the self-check needs it.
      parameter.getArray().setRequiresGradient(true);
    }
  }

  private void add(String path, Parameter parameter) {
    if (numbers.putIfAbsent(parameter, parameters.size()) == null) {
      paths.add(path);
      parameters.add(parameter);
    }
  }
}
