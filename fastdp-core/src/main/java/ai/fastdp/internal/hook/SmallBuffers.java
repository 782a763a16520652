/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Allocates direct buffers, small ones as slices of a larger one.
 *
 * <p>A separate direct buffer for each number lies on the native heap until the garbage collector
 * runs, between the tensors: freed tensors can then not be joined to larger blocks, and the process
 * grows. No slice is handed out twice; a block is freed when none of its slices is in use.
 */
final class SmallBuffers {
  /** The largest slice, for numbers and short vectors; larger buffers are allocated alone. */
  private static final int MAX_SLICE = 1 << 10;

  private static final int BLOCK = 1 << 18;
  // PyTorch's alignment of its own arrays.
  private static final int ALIGNMENT = 64;

  private ByteBuffer block = newBlock();

  /** A zeroed buffer in native order. */
  synchronized ByteBuffer allocate(int capacity) {
    if (capacity > MAX_SLICE) {
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
