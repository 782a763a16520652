/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.step;

import java.util.function.IntSupplier;

/**
 * How many samples the next micro-batch may have: a number, or as many as memory holds.
 *
 * <p>With a bound on memory the first micro-batch has one sample; what the passes take of memory
 * for each sample, at most, decides from then on.
 */
public final class MicroBatchSize implements IntSupplier {
  /** No bound on memory. */
  public static final long ANY = Long.MAX_VALUE;

  private final int most;
  private final long bytes;
  private long bytesPerSample;

  /**
   * Creates the size.
   *
   * @param most the largest number of samples
   * @param bytes what a pass may take; {@link #ANY} for no bound
   */
  public MicroBatchSize(int most, long bytes) {
    this.most = most;
    this.bytes = bytes;
  }

  @Override
  public int getAsInt() {
    if (!isMeasured()) {
      return most;
    }
    if (bytesPerSample == 0) {
      return 1;
    }
    return (int) Math.min(most, Math.max(1, bytes / bytesPerSample));
  }

  boolean isMeasured() {
    return bytes != ANY;
  }

  /**
   * Learns from a pass.
   *
   * @param passBytes the memory that it took
   * @param samples how many samples it had
   */
  public void observe(long passBytes, long samples) {
    bytesPerSample = Math.max(bytesPerSample, (passBytes + samples - 1) / samples);
  }
}
