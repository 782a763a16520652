/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * A stream's bits in words of 64, in blocks.
 *
 * <p>Whoever draws many numbers reads a block's words in place and says with {@link #skip} how many
 * it has used; {@link #next} gives one at a time. Both give every word once, in the same order.
 */
final class StreamWords {
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final int WORDS = 1 << 10;

  private NoiseSource.Bits bits;
  private final byte[] bytes = new byte[WORDS * Long.BYTES];
  private final long[] words = new long[WORDS];
  private int position = WORDS;

  /** Words of no stream yet, see {@link #restart}. */
  StreamWords() {
    this(
        bytes -> {
          throw new IllegalStateException("words must come from a stream, got none");
        });
  }

  StreamWords(NoiseSource.Bits bits) {
    this.bits = bits;
  }

  /** Goes over to another stream; words of the last one that have not been used are dropped. */
  StreamWords restart(NoiseSource.Bits other) {
    bits = other;
    position = WORDS;
    return this;
  }

  /** The next word. */
  long next() {
    if (position == WORDS) {
      refill();
    }
    return words[position++];
  }

  /** How many words can be read in place, at least one. */
  int ready() {
    if (position == WORDS) {
      refill();
    }
    return WORDS - position;
  }

  /** The block that holds the words that are ready. */
  long[] block() {
    return words;
  }

  /** Where in the block the next word is. */
  int position() {
    return position;
  }

  /** Takes the next words as used. */
  void skip(int count) {
    position += count;
  }

  private void refill() {
    bits.fill(bytes);
    for (int i = 0; i < WORDS; i++) {
      words[i] = (long) LONG.get(bytes, i * Long.BYTES);
    }
    position = 0;
  }
}
