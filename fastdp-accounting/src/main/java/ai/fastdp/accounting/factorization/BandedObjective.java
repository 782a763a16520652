/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

import java.util.Arrays;

/**
 * The mean squared error of a strategy whose columns are scaled to norm 1, as a function of the
 * entries before scaling.
 */
final class BandedObjective implements AutoCloseable {

  private final Workload workload;
  private final int steps;
  private final int bands;
  private final BlockBidiagonal blocks;

  BandedObjective(Workload workload, BandedStrategy shape) {
    this.workload = workload;
    steps = shape.steps();
    bands = shape.bands();
    blocks = BlockBidiagonal.of(shape);
  }

  double value(double[] packed) {
    blocks.set(scaled(packed));
    return Arrays.stream(blocks.squaredRowNorms(workload)).average().orElseThrow();
  }

  /** \((g_s - c_s \langle c_s, g_s \rangle) / \|p_s\|\), column by column, c = p / |p|. */
  double[] gradient(double[] packed) {
    double[] gradient = new double[packed.length];
    blocks.set(scaled(packed));
    blocks.errorGradient(workload, gradient);
    for (int s = 0; s < steps; s++) {
      double norm = columnNorm(packed, s);
      double along = 0;
      for (int i = s * bands; i < (s + 1) * bands; i++) {
        along += packed[i] / norm * gradient[i];
      }
      for (int i = s * bands; i < (s + 1) * bands; i++) {
        gradient[i] = (gradient[i] - packed[i] / norm * along) / norm;
      }
    }
    return gradient;
  }

  /** The strategy at a point, with a positive diagonal: the sign of a column changes no error. */
  BandedStrategy strategy(double[] packed) {
    double[] signed = packed.clone();
    for (int s = 0; s < steps; s++) {
      if (packed[s * bands] < 0) {
        for (int i = s * bands; i < (s + 1) * bands; i++) {
          signed[i] = -packed[i];
        }
      }
    }
    return scaled(signed);
  }

  private BandedStrategy scaled(double[] packed) {
    double[] scaled = packed.clone();
    for (int s = 0; s < steps; s++) {
      double norm = columnNorm(packed, s);
      for (int i = s * bands; i < (s + 1) * bands; i++) {
        scaled[i] /= norm;
      }
    }
    return new BandedStrategy(steps, bands, scaled);
  }

  private double columnNorm(double[] packed, int column) {
    double sum = 0;
    for (int i = column * bands; i < (column + 1) * bands; i++) {
      sum += packed[i] * packed[i];
    }
    return Math.sqrt(sum);
  }

  @Override
  public void close() {
    blocks.close();
  }
}
