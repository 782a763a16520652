/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.fastdp.kernel.TorchScriptModule;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The types that weights are trained in. Their gradients, norms, sums and noise are float32.
 *
 * <p>The PyTorch engine of DJL 0.35.1 holds arrays of bfloat16, reports them as {@link
 * DataType#UNKNOWN}, and ends the process when it is asked to make one. The type of a weight is
 * therefore read from PyTorch itself.
 */
public enum FloatType {
  /** 24 significant bits. */
  FLOAT32(6, DataType.FLOAT32),
  /** 11 significant bits, numbers up to 65504. */
  FLOAT16(5, DataType.FLOAT16),
  /** 8 significant bits, the range of float32. */
  BFLOAT16(15, DataType.UNKNOWN);

  private final int code;
  private final DataType reported;

  FloatType(int code, DataType reported) {
    this.code = code;
    this.reported = reported;
  }

  /**
   * Returns whether an array of which DJL reports a type may have one of these types.
   *
   * @param reported the type that DJL reports
   * @return false if it has none of them
   */
  public static boolean mayBe(DataType reported) {
    return Stream.of(values()).anyMatch(type -> type.reported == reported);
  }

  /**
   * Reads the type of an array.
   *
   * @param kernels the module of the book-keeping kernels
   * @param array the array
   * @return the type; empty if it is none of these
   */
  public static Optional<FloatType> of(TorchScriptModule kernels, NDArray array) {
    long code = new GraphKernels(kernels).types(List.of(array))[0];
    return Stream.of(values()).filter(type -> type.code == code).findFirst();
  }

  /**
   * Returns whether an array can be in a graph, bfloat16 included, which DJL does not know.
   *
   * @param array the array
   * @return false for integers and booleans
   */
  public static boolean isFloat(NDArray array) {
    return array.getDataType().isFloating() || mayBe(array.getDataType());
  }

  /**
   * Converts an array of bfloat16 to float32, which holds its values and which DJL can write.
   *
   * @param array of one of these types
   * @return the array itself, or a new one under the same manager
   */
  public static NDArray readable(NDArray array) {
    return array.getDataType() == BFLOAT16.reported ? array.toType(DataType.FLOAT32, false) : array;
  }
}
