/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.util.Pair;
import ai.fastdp.ghost.GhostRules;
import ai.fastdp.hook.HookedModel.Located;
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
final class TrainableParameters {
  private final List<String> paths = new ArrayList<>();
  private final List<Parameter> parameters = new ArrayList<>();
  private final IdentityHashMap<Parameter, Integer> numbers = new IdentityHashMap<>();
  private final List<Located> layers = new ArrayList<>();
  private final List<Located> sampleBySample = new ArrayList<>();

  TrainableParameters(List<Located> blocks, GhostRules rules) {
    this(blocks, rules, List.of());
  }

  /**
   * @param blocks the model's blocks, parents first
   * @param rules the rules of layers
   * @param microBatched the paths of blocks that run sample by sample
   */
  TrainableParameters(List<Located> blocks, GhostRules rules, Collection<String> microBatched) {
    List<String> problems = new ArrayList<>();
    MicroBatchedBlocks whole = new MicroBatchedBlocks(blocks, microBatched, problems);
    sampleBySample.addAll(whole.blocks());
    for (Located located : blocks) {
      Block block = located.block();
      if (block instanceof BatchNorm) {
        problems.add(
            describe(located)
                + " mixes samples through batch statistics, trainable or not; replace it with"
                + " LayerNorm");
        continue;
      }
      List<String> trainable = new ArrayList<>();
      for (Pair<String, Parameter> pair : block.getDirectParameters()) {
        if (pair.getValue().requiresGradient()) {
          add(located.path() + "/" + pair.getKey(), pair.getValue());
          trainable.add("'" + pair.getKey() + "' " + pair.getValue().getShape());
        }
      }
      if (trainable.isEmpty() || whole.covers(block)) {
        continue;
      }
      if (rules.support(block)) {
        layers.add(located);
      } else {
        problems.add(
            describe(located)
                + " has no rule for per-sample gradients of "
                + String.join(", ", trainable)
                + "; freeze its parameters (freezeParameters(true)), use a supported layer in its"
                + " place, or run it sample by sample with"
                + " PrivacyEngine.Builder.optMicroBatched(\""
                + located.path()
                + "\")");
      }
    }
    if (problems.isEmpty() && parameters.isEmpty()) {
      problems.add("the model has no trainable parameter; unfreeze some");
    }
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException(
          "model must be privately trainable, got:\n  " + String.join("\n  ", problems));
    }
  }

  List<Located> layers() {
    return Collections.unmodifiableList(layers);
  }

  /** The blocks that run sample by sample. */
  List<Located> sampleBySample() {
    return Collections.unmodifiableList(sampleBySample);
  }

  List<Parameter> parameters() {
    return Collections.unmodifiableList(parameters);
  }

  List<String> paths() {
    return Collections.unmodifiableList(paths);
  }

  Set<Parameter> asSet() {
    return Collections.unmodifiableSet(numbers.keySet());
  }

  /** The number of a parameter in {@link #parameters()}. */
  int number(Parameter parameter) {
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
  void requireReady() {
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
      DataType type = parameter.getArray().getDataType();
      if (type != DataType.FLOAT32) {
        throw new IllegalArgumentException(
            "parameter '"
                + paths.get(k)
                + "' must be float32, got "
                + type
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

  private static String describe(Located located) {
    return "layer '" + located.path() + "' (" + located.block().getClass().getName() + ")";
  }
}
