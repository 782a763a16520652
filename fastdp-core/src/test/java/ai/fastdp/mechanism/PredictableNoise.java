/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import java.nio.ByteBuffer;
import java.util.Random;

/** Noise sources for tests: none at all, and one that repeats. */
public final class PredictableNoise {
  private PredictableNoise() {}

  /** Words from which the transform makes zeros: the radius is the root of -2 log 1. */
  public static NoiseSource none() {
    return new NoiseSource() {
      @Override
      public void fill(ByteBuffer buffer) {
        while (buffer.hasRemaining()) {
          buffer.putInt(Integer.MAX_VALUE);
        }
      }

      @Override
      public String description() {
        return "no noise (test)";
      }
    };
  }

  /** The bits of {@link Random}. */
  public static NoiseSource seeded(long seed) {
    Random random = new Random(seed);
    return new NoiseSource() {
      @Override
      public void fill(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        random.nextBytes(bytes);
        buffer.put(bytes);
      }

      @Override
      public String description() {
        return "java.util.Random (test)";
      }
    };
  }
}
