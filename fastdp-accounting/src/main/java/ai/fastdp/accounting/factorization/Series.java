/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

import java.util.Arrays;

/**
 * Coefficients of a lower-triangular Toeplitz matrix, which multiply and divide like power series.
 * Coefficients past the end are zero.
 */
final class Series {

  private final double[] coefficients;

  Series(double[] coefficients) {
    this.coefficients = coefficients;
  }

  static void check(double[] coefficients) {
    Arguments.positive("number of coefficients", coefficients.length);
    Arguments.finitePositive("coefficients[0]", coefficients[0]);
    for (int k = 1; k < coefficients.length; k++) {
      Arguments.finite("coefficients[" + k + "]", coefficients[k]);
    }
  }

  int length() {
    return coefficients.length;
  }

  double at(int index) {
    return index < coefficients.length ? coefficients[index] : 0;
  }

  double[] toArray() {
    return coefficients.clone();
  }

  double squaredNorm() {
    double sum = 0;
    for (double c : coefficients) {
      sum += c * c;
    }
    return sum;
  }

  Series scaled(double factor) {
    return new Series(Arrays.stream(coefficients).map(c -> c * factor).toArray());
  }

  /** The first {@code length} coefficients of this / divisor. */
  Series divided(Series divisor, int length) {
    double[] quotient = new double[length];
    for (int k = 0; k < length; k++) {
      double rest = at(k);
      for (int d = Math.min(k, divisor.length() - 1); d > 0; d--) {
        rest -= divisor.coefficients[d] * quotient[k - d];
      }
      quotient[k] = rest / divisor.coefficients[0];
    }
    return new Series(quotient);
  }

  /** The first {@code length} coefficients of the square root. */
  Series squareRoot(int length) {
    double[] root = new double[length];
    root[0] = Math.sqrt(at(0));
    for (int k = 1; k < length; k++) {
      double rest = at(k);
      for (int d = 1; d < k; d++) {
        rest -= root[d] * root[k - d];
      }
      root[k] = rest / (2 * root[0]);
    }
    return new Series(root);
  }

  boolean isNonNegativeAndNonIncreasing() {
    for (int k = 1; k < coefficients.length; k++) {
      if (coefficients[k] > coefficients[k - 1]) {
        return false;
      }
    }
    return coefficients[coefficients.length - 1] >= 0;
  }
}
