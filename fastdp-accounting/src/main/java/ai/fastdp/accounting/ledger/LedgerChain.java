/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.ledger;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * The records of a ledger: one line each, its text, a tab, and a hash of the text and the hash
 * before.
 *
 * <p>The hash is the first half of SHA-256. It detects damage and records that were changed,
 * dropped or reordered; it does not stop somebody who can write the file from making a consistent
 * one.
 */
final class LedgerChain {

  private static final int HASH_BYTES = 16;

  private byte[] head = new byte[HASH_BYTES];
  private long length;

  /** The line of a record, newline included; moves the head. */
  String append(String text) {
    head = hash(text);
    length++;
    return text + "\t" + head() + "\n";
  }

  /**
   * Checks a line, without its newline, and moves the head.
   *
   * @return the text of the record
   * @throws IllegalStateException if the line does not continue the chain
   */
  String verify(String line) {
    int tab = line.lastIndexOf('\t');
    String text = tab < 0 ? line : line.substring(0, tab);
    String expected = HexFormat.of().formatHex(hash(text));
    if (tab < 0 || !line.substring(tab + 1).equals(expected)) {
      throw new IllegalStateException(
          "ledger must be an unbroken chain, got a damaged record at line "
              + (length + 1)
              + "; restore the file, or treat the budget as spent");
    }
    append(text);
    return text;
  }

  /** The newest hash, hexadecimal. */
  String head() {
    return HexFormat.of().formatHex(head);
  }

  /** {@return the number of records} */
  long length() {
    return length;
  }

  private byte[] hash(String text) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      digest.update(head);
      byte[] full = digest.digest(text.getBytes(StandardCharsets.UTF_8));
      return java.util.Arrays.copyOf(full, HASH_BYTES);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform must have SHA-256", e);
    }
  }
}
