/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/** One token per byte of UTF-8, and one more that ends a text. It needs no file. */
public final class ByteTokenizer implements TextTokenizer {

  private static final int BYTES = 256;

  /** Makes a tokenizer; all are alike. */
  public ByteTokenizer() {}

  @Override
  public long[] encode(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    long[] ids = new long[bytes.length];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = Byte.toUnsignedInt(bytes[i]);
    }
    return ids;
  }

  @Override
  public String decode(long[] ids) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream(ids.length);
    for (long id : ids) {
      if (id < BYTES) {
        bytes.write((int) id);
      }
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }

  @Override
  public int vocabularySize() {
    return BYTES + 1;
  }

  @Override
  public int endOfText() {
    return BYTES;
  }

  @Override
  public void close() {}
}
