/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.fastdp.internal.step.MicroBatchSize;

/**
 * What changes the speed and the memory of training and nothing else: same weights to rounding,
 * same privacy.
 *
 * @param physicalBatchSize the largest number of samples that go through the model at a time; a
 *     larger logical batch is processed in several micro-batches
 * @param temporaryBytes a bound on temporaries that tiling over samples can keep small, such as
 *     Gram matrices
 * @param noiseAheadBytes how much of the next step's noise may be drawn while the model runs, 4
 *     bytes a parameter; with 0 it is drawn when it is added
 * @param microBatchBytes a bound on the memory of a micro-batch's data, intermediates and their
 *     gradients, from which the size of micro-batches follows; {@link #ANY_SIZE} for none. The
 *     first micro-batch has one sample, and one sample is the least. Every array that DJL sees the
 *     model make counts twice, for itself and for its gradient, a view as a whole array
 * @param wholeGraph whether back-propagation runs in one pass for every model and style. Else the
 *     graph is cut behind blocks where that saves memory: under styles with several groups, and in
 *     models with convolutions
 */
public record PerformanceOptions(
    int physicalBatchSize,
    long temporaryBytes,
    long noiseAheadBytes,
    long microBatchBytes,
    boolean wholeGraph) {
  /** No bound on the memory of a micro-batch. */
  public static final long ANY_SIZE = MicroBatchSize.ANY;

  private static final int DEFAULT_PHYSICAL_BATCH_SIZE = 64;
  private static final long DEFAULT_TEMPORARY_BYTES = 256L << 20;

  /**
   * Validates the options.
   *
   * @param physicalBatchSize at least 1
   * @param temporaryBytes at least 65536
   * @param noiseAheadBytes at least 0
   * @param microBatchBytes at least 65536
   * @param wholeGraph either
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
    if (noiseAheadBytes < 0) {
      throw new IllegalArgumentException("noiseAheadBytes must be >= 0, got " + noiseAheadBytes);
    }
    if (microBatchBytes < 1 << 16) {
      throw new IllegalArgumentException(
          "microBatchBytes must be >= 65536, got " + microBatchBytes);
    }
  }

  /**
   * Micro-batches of 64 samples, 256 MiB of temporaries, no noise ahead and cuts where they pay.
   *
   * @return the defaults
   */
  public static PerformanceOptions defaults() {
    return new PerformanceOptions(
        DEFAULT_PHYSICAL_BATCH_SIZE, DEFAULT_TEMPORARY_BYTES, 0, ANY_SIZE, false);
  }

  /**
   * These options with another physical batch size.
   *
   * @param value the largest number of samples in a micro-batch
   * @return the changed options
   */
  public PerformanceOptions withPhysicalBatchSize(int value) {
    return new PerformanceOptions(
        value, temporaryBytes, noiseAheadBytes, microBatchBytes, wholeGraph);
  }

  /**
   * These options with another bound on temporaries.
   *
   * @param value the bound in bytes
   * @return the changed options
   */
  public PerformanceOptions withTemporaryBytes(long value) {
    return new PerformanceOptions(
        physicalBatchSize, value, noiseAheadBytes, microBatchBytes, wholeGraph);
  }

  /**
   * These options with another amount of noise drawn ahead.
   *
   * @param value the amount in bytes
   * @return the changed options
   */
  public PerformanceOptions withNoiseAheadBytes(long value) {
    return new PerformanceOptions(
        physicalBatchSize, temporaryBytes, value, microBatchBytes, wholeGraph);
  }

  /**
   * These options with micro-batches as large as a bound on memory allows, in place of a number of
   * samples; {@link #withPhysicalBatchSize} after it bounds both.
   *
   * @param value the bound in bytes; it does not cover the model, the optimizer and {@link
   *     #temporaryBytes()}
   * @return the changed options
   */
  public PerformanceOptions withMicroBatchBytes(long value) {
    return new PerformanceOptions(
        Integer.MAX_VALUE, temporaryBytes, noiseAheadBytes, value, wholeGraph);
  }

  /**
   * These options with back-propagation in one pass, whatever memory it takes: for models whose
   * structure changes from batch to batch in such a way that a path goes around a cut.
   *
   * @return the changed options
   */
  public PerformanceOptions withWholeGraph() {
    return new PerformanceOptions(
        physicalBatchSize, temporaryBytes, noiseAheadBytes, microBatchBytes, true);
  }

  /** Returns the bound in float32 elements. */
  long temporaryCells() {
    return temporaryBytes / Float.BYTES;
  }
}
