/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.solve;

import ai.fastdp.accounting.internal.loss.ConnectTheDots;
import ai.fastdp.accounting.internal.numeric.NumericalLimitException;
import java.util.Arrays;
import org.jtransforms.fft.DoubleFFT_1D;

/**
 * The distribution of the total loss l on a grid, tilted by e^{cl} and composed by FFT.
 *
 * <p>It dominates the true distribution, because every step does.
 */
final class ComposedGrid {

  private final double c;
  private final double spacing;
  private double[] mass = {};
  private double logScale;
  private double roundedUp;
  private double movedFar;
  private double movedSteps;
  private double roundingPerRootLength;

  private ComposedGrid(double c, double spacing) {
    this.c = c;
    this.spacing = spacing;
  }

  /**
   * Composes the steps on a grid.
   *
   * @param length number of grid points, a power of two
   */
  static ComposedGrid of(LossComposition losses, double c, double spacing, int length) {
    DoubleFFT_1D fft = new DoubleFFT_1D(length);
    ComposedGrid grid = new ComposedGrid(c, spacing);
    double[] spectrum = {};
    double largest = 0;
    for (LossComposition.Part part : losses.parts()) {
      // Scaled so that no e^{cl} overflows; then normalised exactly.
      double scale = -part.pair().cumulant(c).value();
      ConnectTheDots cells = new ConnectTheDots(c, spacing, scale, length);
      part.pair().discretize(cells, c);
      double[] one = cells.masses();
      double total = 0;
      for (double value : one) {
        total += value;
      }
      largest = Math.max(largest, normalize(one, total));
      grid.roundedUp += part.count() * (cells.roundedUp() / total);
      grid.movedFar += part.count() * (cells.movedFar() / total);
      grid.movedSteps += cells.roundedUp() > 0 ? part.count() : 0;
      grid.logScale += part.count() * (Math.log(total) - scale);
      fft.realForward(one);
      power(one, part.count());
      if (spectrum.length == 0) {
        spectrum = one;
      } else {
        multiply(spectrum, one);
      }
    }
    fft.realInverse(spectrum, true);
    grid.mass = spectrum;
    grid.roundingPerRootLength =
        0x1p-53 * 6 * Math.log(length) / Math.log(2) * (losses.steps() + 2) * largest;
    grid.requireNumbers();
    return grid;
  }

  /** Divides by the total and returns the norm of the result. */
  private static double normalize(double[] masses, double total) {
    double squares = 0;
    for (int j = 0; j < masses.length; j++) {
      masses[j] /= total;
      squares += masses[j] * masses[j];
    }
    return Math.sqrt(squares);
  }

  /** Refuses results that are not numbers, so that nothing is compared with NaN. */
  private void requireNumbers() {
    if (!(Math.abs(logScale + roundedUp + movedFar + Arrays.stream(mass).sum())
        < Double.POSITIVE_INFINITY)) {
      throw new NumericalLimitException("discretized loss is out of range");
    }
  }

  /** {@return the tilt} */
  double c() {
    return c;
  }

  /** {@return the distance of grid points} */
  double spacing() {
    return spacing;
  }

  /** {@return the number of grid points} */
  int length() {
    return mass.length;
  }

  /** {@return the tilted masses, that of the grid point i at i mod {@link #length}} */
  double[] mass() {
    return mass;
  }

  /** {@return log of the factor of all masses} */
  double logScale() {
    return logScale;
  }

  /** {@return the tilted mass of sums with a step rounded up without keeping the mass of Q} */
  double roundedUp() {
    return roundedUp;
  }

  /** {@return the tilted mass of sums with a step moved up by more than a cell} */
  double movedFar() {
    return movedFar;
  }

  /** {@return the number of steps that have losses rounded up without keeping the mass of Q} */
  double movedSteps() {
    return movedSteps;
  }

  /** Bounds what rounding errors of the transform, relative to the tilted mass, add to delta. */
  double noise(double epsilon) {
    return Math.exp(logScale - c * epsilon)
        * Math.sqrt(1 / -Math.expm1(-2 * c * spacing))
        * roundingPerRootLength;
  }

  private static void power(double[] spectrum, long exponent) {
    int n = spectrum.length;
    spectrum[0] = Math.pow(spectrum[0], (double) exponent);
    spectrum[1] = Math.pow(spectrum[1], (double) exponent);
    for (int j = 2; j + 1 < n; j += 2) {
      double x = spectrum[j];
      double y = spectrum[j + 1];
      double a = 1;
      double b = 0;
      for (long e = exponent; e > 0; e >>= 1) {
        if ((e & 1) == 1) {
          double t = a * x - b * y;
          b = a * y + b * x;
          a = t;
        }
        double t = x * x - y * y;
        y = 2 * x * y;
        x = t;
      }
      spectrum[j] = a;
      spectrum[j + 1] = b;
    }
  }

  private static void multiply(double[] product, double[] factor) {
    product[0] *= factor[0];
    product[1] *= factor[1];
    for (int j = 2; j + 1 < product.length; j += 2) {
      double a = product[j] * factor[j] - product[j + 1] * factor[j + 1];
      product[j + 1] = product[j] * factor[j + 1] + product[j + 1] * factor[j];
      product[j] = a;
    }
  }
}
