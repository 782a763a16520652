/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

/**
 * What changes the speed and the memory of training and nothing else: same weights to rounding,
 * same privacy.
 *
 * @param physicalBatchSize the largest number of samples that go through the model at a time; a
 *     larger logical batch is processed in several micro-batches
 * @param temporaryBytes a bound on temporaries that tiling over samples can keep small, such as
 *     Gram matrices
 */
public record PerformanceOptions(int physicalBatchSize, long temporaryBytes) {
  private static final int DEFAULT_PHYSICAL_BATCH_SIZE = 64;
  private static final long DEFAULT_TEMPORARY_BYTES = 256L << 20;

  /**
   * Validates the options.
   *
   * @param physicalBatchSize at least 1
   * @param temporaryBytes at least 65536
   * @throws IllegalArgumentException if a number is out of range
   */
  public PerformanceOptions {
    if (physicalBatchSize < 1) {
      throw new IllegalArgumentException(
          "physicalBatchSize must be >= 1, got " + physicalBatchSize);
    }
    if (temporaryBytes < 1 << 16) {
      throw new IllegalArgumentException("temporaryBytes must be >= 65536, got " + temporaryBytes);
    }
  }

  /**
   * Micro-batches of 64 samples and 256 MiB of temporaries.
   *
   * @return the defaults
   */
  public static PerformanceOptions defaults() {
    return new PerformanceOptions(DEFAULT_PHYSICAL_BATCH_SIZE, DEFAULT_TEMPORARY_BYTES);
  }

  /**
   * These options with another physical batch size.
   *
   * @param value the largest number of samples in a micro-batch
   * @return the changed options
   */
  public PerformanceOptions withPhysicalBatchSize(int value) {
    return new PerformanceOptions(value, temporaryBytes);
  }

  /**
   * These options with another bound on temporaries.
   *
   * @param value the bound in bytes
   * @return the changed options
   */
  public PerformanceOptions withTemporaryBytes(long value) {
    return new PerformanceOptions(physicalBatchSize, value);
  }

  /** The bound in float32 elements. */
  long temporaryCells() {
    return temporaryBytes / Float.BYTES;
  }
}
