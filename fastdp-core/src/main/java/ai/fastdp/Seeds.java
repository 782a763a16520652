/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.jni.JniUtils;

/**
 * Gives trial passes seeds of PyTorch's generator, so that dropout repeats. What the generator
 * would have given goes on from a number that it gave.
 */
final class Seeds implements AutoCloseable {
  private final long next;

  Seeds(NDManager parent) {
    try (NDManager manager = parent.newSubManager()) {
      next =
          manager.randomInteger(0, Long.MAX_VALUE, new Shape(1), DataType.INT64).toLongArray()[0];
    }
  }

  /** Sets the generator's seed. */
  void set(long seed) {
    JniUtils.setSeed(seed);
  }

  @Override
  public void close() {
    JniUtils.setSeed(next);
  }
}
