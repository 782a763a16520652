/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.check;

import java.security.SecureRandom;
import java.util.SplittableRandom;
import java.util.function.IntFunction;

/**
 * Tests whether random numbers depend on the company in which they are computed, with a known,
 * small probability of a wrong accusation whatever the model computes.
 *
 * <p>The numbers are computed in pairs, in one company and in the other, with a seed of PyTorch's
 * generator for each pair and in random order. If company has no influence, a pair's difference is
 * as likely as its opposite: also where a model takes its random numbers from elsewhere, where it
 * counts its passes, and where other samples shift a sample's place among the random numbers drawn.
 * Mean and signs of the differences are compared with those under random signs. A number that is as
 * far from 0 as under none of {@value #FLIPS} random signs, in two trials of three, depends on the
 * company.
 *
 * <p>For ten numbers, that accuses four of a million right models.
 */
final class RandomSigns {
  private static final int TRIALS = 3;
  private static final int FLIPS = 4000;

  private final SecureRandom random;
  private final TorchSeed seed;

  RandomSigns(SecureRandom random, TorchSeed seed) {
    this.random = random;
    this.seed = seed;
  }

  /**
   * Whether the numbers depend on the company.
   *
   * @param pairs the number of pairs of the first trial; each further trial has twice as many
   * @param least the least relative difference of means that counts
   * @param numbers the numbers in company 0 or 1
   */
  boolean depends(int pairs, double least, IntFunction<double[]> numbers) {
    int[] times = new int[0];
    for (int trial = 0; trial < TRIALS; trial++) {
      boolean[] found = trial(pairs << trial, least, numbers);
      times = trial == 0 ? new int[found.length] : times;
      int most = 0;
      for (int k = 0; k < found.length; k++) {
        times[k] += found[k] ? 1 : 0;
        most = Math.max(most, times[k]);
      }
      if (most == 2) {
        return true;
      }
      if (most + TRIALS - 1 - trial < 2) {
        return false;
      }
    }
    return false;
  }

  /** Which statistics, two for each number, are related to the company. */
  private boolean[] trial(int pairs, double least, IntFunction<double[]> numbers) {
    double[][] differences = new double[0][];
    double[][] sums = new double[0][];
    for (int i = 0; i < pairs; i++) {
      long own = random.nextInt();
      int first = random.nextInt(2);
      double[][] pair = new double[2][];
      for (int company : new int[] {first, 1 - first}) {
        seed.set(own);
        pair[company] = numbers.apply(company);
      }
      int count = pair[0].length;
      if (i == 0) {
        differences = new double[count][pairs];
        sums = new double[2][count];
      }
      for (int k = 0; k < count; k++) {
        double difference = pair[0][k] - pair[1][k];
        differences[k][i] = Double.isFinite(difference) ? difference : 0;
        sums[0][k] += pair[0][k] / pairs;
        sums[1][k] += pair[1][k] / pairs;
      }
    }
    boolean[] found = new boolean[2 * differences.length];
    for (int k = 0; k < differences.length; k++) {
      if (Tolerance.difference(sums[0][k], sums[1][k]) > least) {
        found[2 * k] = isFarFromZero(differences[k]);
        found[2 * k + 1] = isFarFromZero(signs(differences[k]));
      }
    }
    return found;
  }

  private static double[] signs(double[] values) {
    double[] signs = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      signs[i] = Math.signum(values[i]);
    }
    return signs;
  }

  /** Whether no random signs put the sum of the values as far from 0 as their own signs do. */
  private boolean isFarFromZero(double[] values) {
    double found = 0;
    int count = 0;
    for (double value : values) {
      found += value;
      count += value == 0 ? 0 : 1;
    }
    // Fewer values have the same signs by chance too often.
    if (count < 16) {
      return false;
    }
    SplittableRandom signs = new SplittableRandom(random.nextLong());
    for (int flip = 0; flip < FLIPS; flip++) {
      double sum = 0;
      for (double value : values) {
        sum += signs.nextBoolean() ? value : -value;
      }
      if (Math.abs(sum) >= Math.abs(found)) {
        return false;
      }
    }
    return true;
  }
}
