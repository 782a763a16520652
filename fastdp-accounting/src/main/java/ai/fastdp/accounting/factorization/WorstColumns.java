/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

import ai.fastdp.accounting.factorization.Participation.Cyclic;
import ai.fastdp.accounting.factorization.Participation.MinSeparation;
import java.util.Arrays;

/**
 * The worst set \(\pi\) of columns that one record can reach: the largest \(\sum_{i,j \in \pi}
 * |X_{ij}|\). The methods and their sources are described at {@link BandedStrategy#sensitivity}.
 */
final class WorstColumns {

  /** Below this, squares of small entries could vanish and the bound of their rounding fail. */
  private static final double MIN_SQUARE = 1e-250;

  private WorstColumns() {}

  static Sensitivity of(Gram gram, Participation participation) {
    if (participation instanceof Cyclic cyclic) {
      return cyclic(gram, cyclic.period());
    }
    MinSeparation pattern = (MinSeparation) participation;
    int separation = pattern.separation();
    int count = participations(gram.size(), pattern);
    boolean chain = gram.bands() <= 2L * separation || count <= 2;
    double squared = chain ? chain(gram, separation, count) : rowSums(gram, separation, count);
    return rounded(squared, errorOfSum(gram, separation, count, squared), chain);
  }

  /** Non-negative coefficients that do not increase: the first columns, densely. */
  static Sensitivity ofDecreasing(int steps, Series coefficients, Participation participation) {
    int separation;
    int count;
    if (participation instanceof Cyclic cyclic) {
      separation = cyclic.period();
      count = ceilDivide(steps, separation);
    } else {
      MinSeparation pattern = (MinSeparation) participation;
      separation = pattern.separation();
      count = participations(steps, pattern);
    }
    double[] sum = new double[steps];
    for (int p = 0; p < count; p++) {
      int column = p * separation;
      int end = Math.min(steps, column + coefficients.length());
      for (int row = column; row < end; row++) {
        sum[row] += coefficients.at(row - column);
      }
    }
    double squared = new Series(sum).squaredNorm();
    // Each row adds at most count terms, then steps squares are added.
    double error = (steps + 2.0 * count + 2) * squared;
    return rounded(squared, error, true);
  }

  private static int participations(int steps, MinSeparation pattern) {
    return Math.min(pattern.maxParticipations(), ceilDivide(steps, pattern.separation()));
  }

  private static int ceilDivide(int a, int b) {
    return (int) (((long) a + b - 1) / b);
  }

  /**
   * Every participation interacts with the one before it alone. {@code best[i]} is the largest sum
   * over sets of p steps that end with i.
   */
  private static double chain(Gram gram, int separation, int count) {
    int size = gram.size();
    double[] best = new double[size];
    for (int i = 0; i < size; i++) {
      best[i] = gram.at(i, i);
    }
    double largest = largest(best);
    for (int p = 1; p < count; p++) {
      double[] next = new double[size];
      Arrays.fill(next, Double.NEGATIVE_INFINITY);
      double before = Double.NEGATIVE_INFINITY;
      for (int i = separation; i < size; i++) {
        int orthogonal = i - Math.max(separation, gram.bands());
        if (orthogonal >= 0) {
          before = Math.max(before, best[orthogonal]);
        }
        double most = before;
        for (int j = Math.max(0, orthogonal + 1); j <= i - separation; j++) {
          most = Math.max(most, best[j] + 2 * Math.abs(gram.at(i, j)));
        }
        next[i] = gram.at(i, i) + most;
      }
      best = next;
      largest = Math.max(largest, largest(best));
    }
    return largest;
  }

  /** Each row may choose its own columns, which can only add to the sum. */
  private static double rowSums(Gram gram, int separation, int count) {
    int size = gram.size();
    double[] sums = new double[size];
    for (int i = 0; i < size; i++) {
      int first = Math.max(0, i - gram.bands() + 1);
      double[] row = new double[Math.min(size, i + gram.bands()) - first];
      for (int j = 0; j < row.length; j++) {
        int distance = Math.abs(first + j - i);
        row[j] = distance == 0 || distance >= separation ? Math.abs(gram.at(i, first + j)) : 0;
      }
      sums[i] = largestSum(row, separation, count);
    }
    return largestSum(sums, separation, count);
  }

  /** The largest sum of at most {@code count} non-negative values, {@code separation} apart. */
  private static double largestSum(double[] values, int separation, int count) {
    double[] best = new double[values.length + separation];
    int rounds = Math.min(count, ceilDivide(values.length, separation));
    for (int p = 0; p < rounds; p++) {
      double[] next = new double[best.length];
      for (int i = values.length - 1; i >= 0; i--) {
        next[i] = Math.max(next[i + 1], values[i] + best[i + separation]);
      }
      best = next;
    }
    return best[0];
  }

  private static Sensitivity cyclic(Gram gram, int period) {
    double worst = 0;
    boolean negative = false;
    for (int start = 0; start < Math.min(period, gram.size()); start++) {
      double sum = 0;
      for (int i = start; i < gram.size(); i += period) {
        for (int j = start; j < gram.size(); j += period) {
          negative |= gram.at(i, j) < 0;
          sum += Math.abs(gram.at(i, j));
        }
      }
      worst = Math.max(worst, sum);
    }
    int count = ceilDivide(gram.size(), period);
    boolean exact = !negative || gram.bands() <= 2L * period || count <= 2;
    return rounded(worst, errorOfSum(gram, period, count, worst), exact);
  }

  private static double largest(double[] values) {
    return Arrays.stream(values).max().orElseThrow();
  }

  /**
   * In units of the unit roundoff u. A computed inner product of two columns of b entries errs by
   * at most (b + 2) u times the product of their norms, in whatever order it was summed. A step has
   * such products with itself and 2 (b - 1) / separation others; adding m of them adds m u
   * relative.
   */
  private static double errorOfSum(Gram gram, int separation, int count, double squared) {
    long partners = 2L * Math.floorDiv(gram.bands() - 1, separation);
    double products = (double) count * Math.min(count, 1 + partners);
    return products * (gram.bands() + 2.0) * gram.largestDiagonal() + (products + count) * squared;
  }

  /** The root, rounded up; twice the error covers its terms of second order. */
  private static Sensitivity rounded(double squared, double error, boolean exact) {
    if (!(squared >= MIN_SQUARE)) {
      throw new IllegalArgumentException(
          "strategy must have a column norm >= 1e-125, got "
              + Math.sqrt(squared)
              + "; scale C and the noise up together");
    }
    double unit = Math.ulp(1.0) / 2;
    return new Sensitivity(Math.nextUp(Math.sqrt(squared + 2 * error * unit)), exact);
  }
}
