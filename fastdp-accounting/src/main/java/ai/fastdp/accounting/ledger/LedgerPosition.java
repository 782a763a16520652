/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.ledger;

/**
 * A place in a file ledger: the number of its records and the newest of their hashes.
 *
 * <p>The hash covers all records before it. A ledger that has the position has grown from the one
 * that gave it; a ledger that does not is an older copy, or another one.
 *
 * @param records the number of records
 * @param hash the newest hash, hexadecimal
 */
public record LedgerPosition(long records, String hash) {

  /**
   * Checks both.
   *
   * @param records at least 0
   * @param hash hexadecimal digits
   * @throws IllegalArgumentException if one is out of range
   */
  public LedgerPosition {
    if (records < 0) {
      throw new IllegalArgumentException("records must be >= 0, got " + records);
    }
    if (!hash.matches("[0-9a-f]+")) {
      throw new IllegalArgumentException("hash must be hexadecimal, got '" + hash + "'");
    }
  }
}
