/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

import ai.djl.engine.EngineException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Embedding;
import ai.djl.nn.transformer.IdEmbedding;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Checks a layer's first input, with errors that name the layer. Ids are checked before the layer
 * looks them up: the engine would read other rows for some ids, and end a GPU's process for others.
 *
 * <p>Errors contain no value of the input.
 *
 * @param path the layer's path
 * @param block the layer
 */
record LayerInput(String path, Block block) {
  private static final Set<DataType> ID_TYPES = Set.of(DataType.INT32, DataType.INT64);
  // DJL and the engine take them for masks where rows are selected.
  private static final Set<DataType> MASK_TYPES = Set.of(DataType.BOOLEAN, DataType.UINT8);

  /**
   * Checks an input before the layer runs.
   *
   * @throws IllegalArgumentException if the layer is an embedding and an id has no row
   */
  void require(NDArray input) {
    if (!looksUp()) {
      return;
    }
    if (MASK_TYPES.contains(input.getDataType())) {
      throw wrongIdType(input, null);
    }
    long rows = block.getDirectParameters().valueAt(0).getArray().getShape().get(0);
    // One transfer from the device; a number that is not one is in no range.
    if (!input.gte(0).logicalAnd(input.lt(rows)).all().getBoolean()) {
      throw new IllegalArgumentException(
          "ids of "
              + name()
              + " must be in [0, "
              + rows
              + "), got another number; correct them in the data set, or give the layer more rows");
    }
  }

  /**
   * Replaces an engine's error by one that names the layer, if the input's type is at fault.
   *
   * @param input the layer's input
   * @param error the engine's error
   * @return an error that names the layer and the remedy; the given one if the type is not at fault
   */
  RuntimeException explained(NDArray input, EngineException error) {
    DataType type = input.getDataType();
    if (looksUp()) {
      return ID_TYPES.contains(type) ? error : wrongIdType(input, error);
    }
    Optional<DataType> own =
        block.getDirectParameters().values().stream()
            .filter(Parameter::isInitialized)
            .map(parameter -> parameter.getArray().getDataType())
            .filter(other -> other != type)
            .findFirst();
    return own.isEmpty()
        ? error
        : new IllegalArgumentException(
            "input of "
                + name()
                + " must be of its parameters' type, "
                + text(own.get())
                + ", got "
                + text(type)
                + "; convert it in the data set's pipeline",
            error);
  }

  private IllegalArgumentException wrongIdType(NDArray input, @Nullable EngineException cause) {
    return new IllegalArgumentException(
        "ids of "
            + name()
            + " must be int32 or int64, got "
            + text(input.getDataType())
            + "; convert them in the data set's pipeline",
        cause);
  }

  /** Returns whether the layer's own forward function looks up rows of its table. */
  private boolean looksUp() {
    return block instanceof IdEmbedding
        || (block instanceof Embedding
            && ForwardMethod.of(block.getClass()).getDeclaringClass() == Embedding.class);
  }

  private String name() {
    return "layer '" + path + "' (" + block.getClass().getSimpleName() + ")";
  }

  private static String text(DataType type) {
    // DJL has no name for bfloat16.
    return type == DataType.UNKNOWN ? "bfloat16" : type.toString();
  }
}
