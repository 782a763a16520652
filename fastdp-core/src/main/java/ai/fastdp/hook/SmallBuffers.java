/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.hook;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Allocates direct buffers, small ones as slices of a larger one.
 *
 * <p>A direct buffer of its own for each number lies on the native heap until the garbage collector
 * runs, between the tensors: freed tensors can then not be joined to larger blocks, and the process
 * grows. No slice is handed out twice; a block is freed when none of its slices is in use.
 */
final class SmallBuffers {
  /** Numbers and short vectors; what is larger has a buffer of its own. */
  private static final int LARGEST = 1 << 10;

  private static final int BLOCK = 1 << 18;
  // What PyTorch aligns its own arrays to.
  private static final int ALIGNMENT = 64;

  private ByteBuffer block = newBlock();

  /** A zeroed buffer in native order. */
  synchronized ByteBuffer allocate(int capacity) {
    if (capacity > LARGEST) {
      return ByteBuffer.allocateDirect(capacity).order(ByteOrder.nativeOrder());
    }
    if (capacity > block.remaining()) {
      block = newBlock();
    }
    ByteBuffer slice = block.slice(block.position(), capacity).order(ByteOrder.nativeOrder());
    int next = block.position() + (capacity + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    block.position(Math.min(next, block.limit()));
    return slice;
  }

  private static ByteBuffer newBlock() {
    return ByteBuffer.allocateDirect(BLOCK + ALIGNMENT).alignedSlice(ALIGNMENT);
  }
}
