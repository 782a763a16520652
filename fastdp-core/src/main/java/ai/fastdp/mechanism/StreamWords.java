/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.apache.commons.rng.UniformRandomProvider;

/** A stream's bits in words of 64. */
final class StreamWords implements UniformRandomProvider {
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final int BYTES = 1 << 12;

  private final NoiseSource.Bits bits;
  private final byte[] buffer = new byte[BYTES];
  private int position = BYTES;

  StreamWords(NoiseSource.Bits bits) {
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
