/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.kernel;

import com.sun.jna.Function;
import com.sun.jna.Platform;

/**
 * The C library's allocator, from which PyTorch takes its CPU arrays.
 *
 * <p>glibc gives the top of its heap back to the system whenever much of it is free, which is at
 * the end of every training step; the next step then faults the same pages in again, tens of
 * thousands of them. A process that trains for long gains by keeping them.
 */
public final class NativeAllocator {
  private static final int TRIM_THRESHOLD = -1;
  private static final int MMAP_THRESHOLD = -3;

  /** The largest value that glibc accepts. */
  private static final int MAX_MMAP_THRESHOLD = 32 << 20;

  private NativeAllocator() {}

  /**
   * Tells the allocator to keep the memory that this process frees, and to use it again.
   *
   * <p>The setting holds for the rest of the process. A program calls this at its start; a library
   * does not. It changes only the speed of training.
   *
   * @return whether the allocator is glibc's and accepted the setting
   */
  public static boolean keepFreedMemory() {
    if (!Platform.isLinux()) {
      return false;
    }
    try {
      Function mallopt = Function.getFunction("c", "mallopt");
      return mallopt.invokeInt(new Object[] {TRIM_THRESHOLD, Integer.MAX_VALUE}) == 1
          && mallopt.invokeInt(new Object[] {MMAP_THRESHOLD, MAX_MMAP_THRESHOLD}) == 1;
    } catch (UnsatisfiedLinkError e) {
      return false;
    }
  }
}
