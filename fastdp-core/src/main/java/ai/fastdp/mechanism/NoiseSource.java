/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

/**
 * Uniform random bits from which the noise is made, as numbered streams.
 *
 * <p>A stream depends on the source and on its number alone, not on the thread that draws it or on
 * what was drawn before, so that several threads can make the noise of one step. Whoever draws from
 * a source asks for every number at most once; fastdp's own sources refuse the second time.
 *
 * <p>A source belongs to one run. Two runs with the same source would have the same noise, and the
 * difference of what they release would have none.
 */
public interface NoiseSource {
  /** The bits of one stream, for one thread. */
  @FunctionalInterface
  interface Bits {
    /**
     * Fills an array with the stream's next bits; no bit is given twice.
     *
     * @param bytes the array, filled from end to end
     */
    void fill(byte[] bytes);
  }

  /**
   * Opens a stream.
   *
   * @param index the stream's number, at least 0; streams of different numbers share no bit
   * @return the stream, from its beginning
   * @throws IllegalStateException if the stream has been opened before, from fastdp's own sources
   */
  Bits stream(long index);

  /**
   * What the source is, in words for a privacy statement.
   *
   * @return the description
   */
  String description();

  /**
   * The default: AES-256 in counter mode, keyed from the platform's secure random generator.
   *
   * @return a new source with a key of its own
   */
  static NoiseSource secure() {
    return AesCounterNoise.secure();
  }

  /**
   * A source that gives the same noise for the same seed, for runs without a guarantee: whoever
   * knows the seed can take the noise away.
   *
   * @param seed the seed
   * @return a new source
   */
  static NoiseSource repeatable(long seed) {
    return AesCounterNoise.repeatable(seed);
  }
}
