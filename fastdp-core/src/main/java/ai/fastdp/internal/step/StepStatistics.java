/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.step;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.fastdp.TrainingReport;

/** Losses and norms of a logical step's samples. Not private: see {@link TrainingReport}. */
public final class StepStatistics {
  private long samples;
  private long finite;
  private long clipped;
  private double loss;
  private double sum;
  private double least;
  private double largest;
  private long begin;

  public StepStatistics() {
    clear();
  }

  private void clear() {
    samples = 0;
    finite = 0;
    clipped = 0;
    loss = 0;
    sum = 0;
    least = Double.POSITIVE_INFINITY;
    largest = 0;
    begin = System.nanoTime();
  }

  /**
   * Adds a micro-batch.
   *
   * @param losses (B)
   * @param squaredNorms (B) float64, of all parameters together
   * @param clipNorm the step's clip norm
   */
  void add(NDArray losses, NDArray squaredNorms, double clipNorm) {
    for (float value : losses.toType(DataType.FLOAT32, false).toFloatArray()) {
      loss += value;
      samples++;
    }
    for (double square : squaredNorms.toDoubleArray()) {
      double norm = Math.sqrt(square);
      if (Double.isFinite(norm)) {
        finite++;
        sum += norm;
        least = Math.min(least, norm);
        largest = Math.max(largest, norm);
        clipped += norm > clipNorm ? 1 : 0;
      }
    }
  }

  /** Returns the values of the step that ends, and begins the next one. */
  public Values take() {
    Values values =
        new Values(
            samples,
            samples - finite,
            loss / samples,
            finite == 0 ? Double.NaN : least,
            sum / finite,
            finite == 0 ? Double.NaN : largest,
            (double) clipped / finite,
            (System.nanoTime() - begin) / 1e6);
    clear();
    return values;
  }

  /**
   * What a logical step's samples came to; a number is not finite where there is nothing to count.
   *
   * @param batchSize the samples of the step
   * @param nonFiniteSamples those whose gradient is not finite
   * @param loss the mean of the losses
   * @param leastNorm the least norm of a gradient
   * @param meanNorm the mean norm
   * @param largestNorm the largest norm
   * @param aboveClipNorm the share of norms above the clip norm
   * @param millis the time since the step before
   */
  public record Values(
      long batchSize,
      long nonFiniteSamples,
      double loss,
      double leastNorm,
      double meanNorm,
      double largestNorm,
      double aboveClipNorm,
      double millis) {}
}
