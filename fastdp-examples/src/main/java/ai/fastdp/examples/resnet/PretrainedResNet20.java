/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.resnet;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.util.Pair;
import ai.fastdp.examples.training.InputException;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/**
 * Weights of a {@link ResNet20} in NumPy's npz form, named as PyTorch's models name them: {@code
 * layer1.0.bn1.running_mean}.
 */
final class PretrainedResNet20 {

  private static final Map<String, String> NAMES =
      Map.of(
          "gamma", "weight",
          "beta", "bias",
          "runningMean", "running_mean",
          "runningVar", "running_var");

  private final Path file;

  PretrainedResNet20(Path file) {
    this.file = file;
  }

  /**
   * Copies the weights into a model.
   *
   * @param model an initialized model, with BatchNorm
   * @throws InputException if the file cannot be read, lacks a weight, or has others
   */
  void load(ResNet20 model) {
    Parameter first = model.getParameters().valueAt(0);
    try (NDManager scope = first.getArray().getManager().newSubManager()) {
      Map<String, NDArray> arrays = read(scope);
      copy(model, "", arrays);
      if (!arrays.isEmpty()) {
        throw new InputException(
            "--weights "
                + file
                + " must be a ResNet-20, got another array '"
                + arrays.keySet().stream().sorted().findFirst().orElseThrow()
                + "'");
      }
    }
  }

  private Map<String, NDArray> read(NDManager manager) {
    Map<String, NDArray> arrays = new HashMap<>();
    try (InputStream in = new BufferedInputStream(Files.newInputStream(file))) {
      NDList list = NDList.decode(manager, in);
      for (NDArray array : list) {
        if (array.getName() == null) {
          throw new InputException("--weights must be an npz file, got " + file);
        }
        arrays.put(array.getName(), array);
      }
      return arrays;
    } catch (IOException | IllegalArgumentException | IndexOutOfBoundsException e) {
      throw new InputException("cannot read --weights " + file + " as an npz file", e);
    }
  }

  private void copy(Block block, String path, Map<String, NDArray> arrays) {
    for (Pair<String, Parameter> pair : block.getDirectParameters()) {
      String name = path + NAMES.getOrDefault(pair.getKey(), pair.getKey());
      NDArray target = pair.getValue().getArray();
      NDArray source = arrays.remove(name);
      if (source == null || !source.getShape().equals(target.getShape())) {
        throw new InputException(
            String.format(
                Locale.ROOT,
                "--weights %s must have '%s' of shape %s, got %s",
                file,
                name,
                target.getShape(),
                source == null ? "none" : source.getShape()));
      }
      boolean trains = pair.getValue().requiresGradient();
      target.setRequiresGradient(false);
      source.toType(DataType.FLOAT32, false).copyTo(target);
      target.setRequiresGradient(trains);
    }
    for (Pair<String, Block> child : block.getChildren()) {
      // DJL puts the child's number in front, in two digits.
      copy(child.getValue(), path + child.getKey().substring(2) + ".", arrays);
    }
  }
}
