/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * The key stream of AES-256 in counter mode.
 *
 * <p>Key and first counter come from {@link SecureRandom} and are kept nowhere else; the counter
 * has 128 bits, so that the stream does not repeat. The JDK runs this cipher on the processor's AES
 * instructions, at several gigabytes a second.
 */
final class AesCounterNoise implements NoiseSource {
  private static final int KEY_BYTES = 32;
  private static final int COUNTER_BYTES = 16;

  // Small enough for the first-level cache, and for the cipher's loop to be compiled early.
  private static final int BLOCK = 4096;

  private final Cipher cipher;
  private final byte[] zeros = new byte[BLOCK];
  private final byte[] stream = new byte[BLOCK];

  AesCounterNoise() {
    SecureRandom random = new SecureRandom();
    byte[] key = new byte[KEY_BYTES];
    byte[] counter = new byte[COUNTER_BYTES];
    random.nextBytes(key);
    random.nextBytes(counter);
    try {
      cipher = Cipher.getInstance("AES/CTR/NoPadding");
      cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(key, "AES"), new IvParameterSpec(counter));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("AES/CTR must be available for secure noise", e);
    }
  }

  @Override
  public synchronized void fill(ByteBuffer buffer) {
    try {
      while (buffer.hasRemaining()) {
        int count = Math.min(BLOCK, buffer.remaining());
        int made = cipher.update(zeros, 0, count, stream, 0);
        if (made != count) {
          throw new IllegalStateException(
              "the cipher must return as many bytes as it takes, got " + made + " for " + count);
        }
        buffer.put(stream, 0, count);
      }
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("the noise stream failed; no noise was released", e);
    }
  }

  @Override
  public String description() {
    return "AES-256 in counter mode, keyed from " + new SecureRandom().getAlgorithm();
  }
}
