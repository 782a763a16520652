/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.resnet;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** Weights of a ResNet-20 in the form in which they are published. */
public final class WeightsFixture {

  private WeightsFixture() {}

  /** Writes random weights. */
  public static void write(Path file) throws IOException {
    try (Model model = Model.newInstance("weights", "PyTorch")) {
      ResNet20 block = new ResNet20(CifarFiles.CLASSES);
      model.setBlock(block);
      block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 3, 32, 32));
      write(file, block, "");
    }
  }

  /** The parameters of a model that was saved after training with frozen statistics. */
  public static NDList saved(Model model, Path directory) throws Exception {
    Block block = new ResNet20(CifarFiles.CLASSES);
    block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 3, 32, 32));
    Norm.FROZEN_BATCHNORM.apply(block);
    model.setBlock(block);
    model.load(directory, ResNetCommand.NAME);
    NDList arrays = new NDList();
    collect(block, "", arrays);
    return arrays;
  }

  /** Writes a model's weights under PyTorch's names, but for one. */
  static void write(Path file, ResNet20 block, String without) throws IOException {
    NDList arrays = new NDList();
    collect(block, "", arrays);
    arrays.removeIf(array -> array.getName().equals(without));
    try (OutputStream out = Files.newOutputStream(file)) {
      arrays.encode(out, NDList.Encoding.NPZ);
    }
  }

  private static void collect(Block block, String path, NDList arrays) {
    block
        .getDirectParameters()
        .forEach(
            pair -> {
              String name =
                  switch (pair.getKey()) {
                    case "gamma" -> "weight";
                    case "beta" -> "bias";
                    case "runningMean" -> "running_mean";
                    case "runningVar" -> "running_var";
                    default -> pair.getKey();
                  };
              NDArray copy = pair.getValue().getArray().duplicate();
              copy.setName(path + name);
              arrays.add(copy);
            });
    block
        .getChildren()
        .forEach(
            child -> collect(child.getValue(), path + child.getKey().substring(2) + ".", arrays));
  }
}
