/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import java.nio.ByteBuffer;

/** A stream of uniform random bits from which the noise is made. */
public interface NoiseSource {
  /**
   * Fills the rest of a buffer with fresh uniform random bits; no bit is ever given twice.
   *
   * @param buffer the buffer, filled from its position to its limit
   */
  void fill(ByteBuffer buffer);

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
    return new AesCounterNoise();
  }
}
