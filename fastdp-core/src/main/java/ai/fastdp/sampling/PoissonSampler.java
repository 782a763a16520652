/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

import java.util.Arrays;
import java.util.function.LongFunction;
import java.util.random.RandomGenerator;

/**
 * Includes every sample in a batch independently with the same probability.
 *
 * <p>Draws the gaps between included samples, which are geometric, so that a batch costs as many
 * draws as it has samples. Privacy amplification needs the draws to be unpredictable: pass a secure
 * generator.
 */
public final class PoissonSampler {
  // Far beyond any data set, and small enough that sums of gaps do not overflow.
  private static final double LARGEST_GAP = 0x1p60;

  private final double sampleRate;
  private final LongFunction<? extends RandomGenerator> random;

  /**
   * Creates a sampler.
   *
   * @param sampleRate the probability of every sample, in (0, 1]
   * @param random the source of randomness of all steps
   * @throws IllegalArgumentException if the rate is not in (0, 1]
   */
  public PoissonSampler(double sampleRate, RandomGenerator random) {
    this(sampleRate, step -> random);
  }

  /**
   * Creates a sampler whose batches depend on the number of their step alone, however many were
   * drawn before, if the sources do.
   *
   * @param sampleRate the probability of every sample, in (0, 1]
   * @param random the source of randomness of a step
   * @throws IllegalArgumentException if the rate is not in (0, 1]
   */
  public PoissonSampler(double sampleRate, LongFunction<? extends RandomGenerator> random) {
    if (!(sampleRate > 0 && sampleRate <= 1)) {
      throw new IllegalArgumentException("sampleRate must be in (0, 1], got " + sampleRate);
    }
    this.sampleRate = sampleRate;
    this.random = random;
  }

  /**
   * Draws the batch of a step.
   *
   * @param step the number of the step, from 1
   * @param size the number of samples in the data set
   * @return the included indices in increasing order, possibly none
   */
  public long[] sample(long step, long size) {
    RandomGenerator source = random.apply(step);
    long[] included = new long[16];
    int count = 0;
    long next = gap(source);
    while (next < size) {
      if (count == included.length) {
        included = Arrays.copyOf(included, 2 * count);
      }
      included[count++] = next;
      next = next + 1 + gap(source);
    }
    return Arrays.copyOf(included, count);
  }

  /** The number of samples left out before the next included one, P(k) = q (1 - q)^k. */
  private long gap(RandomGenerator source) {
    if (sampleRate == 1) {
      return 0;
    }
    // 1 - U is in (0, 1], so that the logarithm is finite.
    double gap = Math.floor(Math.log(1 - source.nextDouble()) / Math.log1p(-sampleRate));
    return (long) Math.min(gap, LARGEST_GAP);
  }
}
