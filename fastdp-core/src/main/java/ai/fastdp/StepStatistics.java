/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import com.google.gson.JsonObject;

/** Losses and norms of a logical step's samples. Not private: see {@link TrainingReport}. */
final class StepStatistics {
  private long samples;
  private long finite;
  private long clipped;
  private double loss;
  private double sum;
  private double least;
  private double largest;
  private long begin;

  StepStatistics() {
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
  JsonObject take() {
    JsonObject norms = new JsonObject();
    ReportWriter.add(norms, "least", finite == 0 ? Double.NaN : least);
    ReportWriter.add(norms, "mean", sum / finite);
    ReportWriter.add(norms, "largest", finite == 0 ? Double.NaN : largest);
    ReportWriter.add(norms, "aboveClipNorm", (double) clipped / finite);
    JsonObject values = new JsonObject();
    ReportWriter.add(values, "loss", loss / samples);
    values.addProperty("batchSize", samples);
    values.addProperty("nonFiniteSamples", samples - finite);
    values.add("gradientNorm", norms);
    ReportWriter.add(values, "millis", (System.nanoTime() - begin) / 1e6);
    clear();
    return values;
  }
}
