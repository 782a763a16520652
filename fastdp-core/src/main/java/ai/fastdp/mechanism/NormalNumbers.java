/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import org.apache.commons.rng.UniformRandomProvider;
import org.apache.commons.rng.sampling.distribution.ZigguratSampler;

/**
 * Standard normal numbers from the bits of one stream.
 *
 * <p>McFarland's ziggurat on 64-bit words makes float64 numbers, whose tail has no end; they are
 * rounded once to float32, so that a number differs from an exact normal one by at most 6e-8 of its
 * size.
 *
 * @see <a href="https://arxiv.org/abs/1403.6870">McFarland 2014</a>
 */
final class NormalNumbers {
  private final ZigguratSampler sampler;

  NormalNumbers(NoiseSource.Bits bits) {
    sampler = ZigguratSampler.NormalizedGaussian.of(new Words(bits));
  }

  double next() {
    return sampler.sample();
  }

  /** Fills the first {@code count} places. */
  void fill(FloatBuffer numbers, int count) {
    for (int i = 0; i < count; i++) {
      numbers.put(i, (float) sampler.sample());
    }
  }

  /** A stream's bits in words of 64. */
  private static final class Words implements UniformRandomProvider {
    private static final VarHandle LONG =
        MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final int BYTES = 1 << 12;

    private final NoiseSource.Bits bits;
    private final byte[] buffer = new byte[BYTES];
    private int position = BYTES;

    private Words(NoiseSource.Bits bits) {
      this.bits = bits;
    }

    @Override
    public long nextLong() {
      if (position == BYTES) {
        bits.fill(buffer);
        position = 0;
      }
      long word = (long) LONG.get(buffer, position);
      position += Long.BYTES;
      return word;
    }
  }
}
