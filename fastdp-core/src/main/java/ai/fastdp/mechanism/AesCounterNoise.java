/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * The key stream of AES-256 in counter mode.
 *
 * <p>Key and first counter come from {@link SecureRandom} and are kept nowhere else, so that no run
 * and no resumed run repeats another's noise; a stream that has been opened is not opened again.
 * The counter has 128 bits; stream n begins n 2^32 blocks after the first counter and ends before
 * the next stream begins, 64 GiB later. The JDK runs this cipher on the processor's AES
 * instructions, at several gigabytes a second.
 */
final class AesCounterNoise implements NoiseSource {
  private static final int KEY_BYTES = 32;
  private static final int COUNTER_BYTES = 16;
  private static final int BLOCK_BITS = 32;
  private static final long STREAM_BYTES = 16L << BLOCK_BITS;

  private final SecretKeySpec key;
  private final BigInteger firstCounter;
  private final String origin;
  private final OpenedStreams opened = new OpenedStreams();

  private AesCounterNoise(byte[] keyBytes, byte[] counter, String origin) {
    key = new SecretKeySpec(keyBytes, "AES");
    firstCounter = new BigInteger(1, counter);
    this.origin = origin;
  }

  /** A source with a key of its own. */
  static AesCounterNoise secure() {
    SecureRandom random = new SecureRandom();
    byte[] keyBytes = new byte[KEY_BYTES];
    byte[] counter = new byte[COUNTER_BYTES];
    random.nextBytes(keyBytes);
    random.nextBytes(counter);
    return new AesCounterNoise(keyBytes, counter, "keyed from " + random.getAlgorithm());
  }

  /** A source that repeats: its key is the hash of a seed. */
  static AesCounterNoise repeatable(long seed) {
    try {
      byte[] keyBytes =
          MessageDigest.getInstance("SHA-256")
              .digest(ByteBuffer.allocate(Long.BYTES).putLong(seed).array());
      return new AesCounterNoise(
          keyBytes, new byte[COUNTER_BYTES], "keyed from the seed " + seed + " of a test");
    } catch (NoSuchAlgorithmException e) {
      throw new LinkageError("every JDK has SHA-256", e);
    }
  }

  @Override
  public Bits stream(long index) {
    opened.open(index);
    try {
      Cipher cipher = Cipher.getInstance("AES/CTR/NoPadding");
      cipher.init(Cipher.ENCRYPT_MODE, key, new IvParameterSpec(counter(index)));
      return new KeyStream(cipher);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("AES/CTR must be available for secure noise", e);
    }
  }

  private byte[] counter(long index) {
    BigInteger start = firstCounter.add(BigInteger.valueOf(index).shiftLeft(BLOCK_BITS));
    byte[] counter = new byte[COUNTER_BYTES];
    byte[] digits = start.toByteArray();
    // The counter's lowest 16 bytes: it wraps around as the cipher's own does.
    int count = Math.min(digits.length, COUNTER_BYTES);
    System.arraycopy(digits, digits.length - count, counter, COUNTER_BYTES - count, count);
    return counter;
  }

  @Override
  public String description() {
    return "AES-256 in counter mode, " + origin;
  }

  private static final class KeyStream implements Bits {
    // Nobody writes to it.
    private static final byte[] ZEROS = new byte[1 << 14];

    private final Cipher cipher;
    private long given;

    private KeyStream(Cipher cipher) {
      this.cipher = cipher;
    }

    @Override
    public void fill(byte[] bytes) {
      given += bytes.length;
      if (given > STREAM_BYTES) {
        throw new IllegalStateException(
            "a stream must be read for at most " + STREAM_BYTES + " bytes, got " + given);
      }
      try {
        for (int at = 0; at < bytes.length; at += ZEROS.length) {
          int count = Math.min(ZEROS.length, bytes.length - at);
          int made = cipher.update(ZEROS, 0, count, bytes, at);
          if (made != count) {
            throw new IllegalStateException(
                "the cipher must return as many bytes as it takes, got " + made + " for " + count);
          }
        }
      } catch (GeneralSecurityException e) {
        throw new IllegalStateException("the noise stream failed; no noise was released", e);
      }
    }
  }
}
