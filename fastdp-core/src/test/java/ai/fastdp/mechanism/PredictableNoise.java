/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import java.util.Random;
import java.util.function.LongFunction;

/** Noise sources for tests: none at all, and one that repeats. */
public final class PredictableNoise {
  private PredictableNoise() {}

  /** Words from which the transform makes zeros. */
  public static NoiseSource none() {
    return source("no noise (test)", index -> bytes -> {});
  }

  /** The bits of {@link Random}. */
  public static NoiseSource seeded(long seed) {
    return source(
        "java.util.Random (test)", index -> new Random(seed * 1_000_003 + index)::nextBytes);
  }

  /**
   * The discrete Gaussian integers that a source gives a step, stream by stream.
   *
   * @param step the number of steps of the same size before it
   */
  public static long[] integers(NoiseSource source, long step, int count, double deviation) {
    DiscreteGaussian gaussian = new DiscreteGaussian(deviation);
    long chunks = NoiseChunks.count(count);
    long[] integers = new long[count];
    for (int at = 0; at < count; at += NoiseChunks.CHUNK) {
      StreamWords words =
          new StreamWords(source.stream(2 * (step * chunks + at / NoiseChunks.CHUNK)));
      for (int j = at; j < Math.min(count, at + NoiseChunks.CHUNK); j++) {
        integers[j] = gaussian.next(words);
      }
    }
    return integers;
  }

  static NoiseSource source(String description, LongFunction<NoiseSource.Bits> streams) {
    return new NoiseSource() {
      @Override
      public Bits stream(long index) {
        return streams.apply(index);
      }

      @Override
      public String description() {
        return description;
      }
    };
  }
}
