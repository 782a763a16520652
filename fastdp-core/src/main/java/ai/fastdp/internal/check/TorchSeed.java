/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.check;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.jni.JniUtils;

/**
 * Seeds PyTorch's generator for passes that are to draw the same numbers, and leaves it at a number
 * that it gave itself, so that a seeded run stays repeatable.
 */
final class TorchSeed implements AutoCloseable {
  private final long next;

  TorchSeed(NDManager parent) {
    try (NDManager manager = parent.newSubManager()) {
      next =
          manager.randomInteger(0, Long.MAX_VALUE, new Shape(1), DataType.INT64).toLongArray()[0];
    }
  }

  void set(long seed) {
    JniUtils.setSeed(seed);
  }

  @Override
  public void close() {
    JniUtils.setSeed(next);
  }
}
