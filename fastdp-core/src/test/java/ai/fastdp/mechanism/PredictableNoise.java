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
