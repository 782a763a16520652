/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.ledger;

import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.event.NeighboringRelation;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The first record of a ledger: what it was started for.
 *
 * @param planHash identifies the plan
 * @param relation the neighboring relation
 * @param budget the most that may be spent
 */
record LedgerHeader(String planHash, NeighboringRelation relation, PrivacyBudget budget) {
  private static final String MAGIC = "fastdp-ledger-1";

  /** The text of the record. */
  String text() {
    return String.join(
        " ",
        MAGIC,
        planHash,
        relation.toString(),
        Double.toHexString(budget.epsilon()),
        Double.toHexString(budget.delta()));
  }

  /**
   * Checks that a ledger was started for the same.
   *
   * @throws IllegalStateException if not, with what differs in words
   */
  void requireSame(String stored, Path file) {
    if (stored.equals(text())) {
      return;
    }
    String[] old = stored.split(" ", -1);
    if (old.length != 5 || !old[0].equals(MAGIC)) {
      throw new IllegalStateException(
          "ledger must begin with "
              + MAGIC
              + ", got another first record in "
              + file
              + "; name the ledger of this version, or a new file");
    }
    List<String> differences = new ArrayList<>();
    if (!old[2].equals(relation.toString())) {
      differences.add("relation " + relation + " instead of " + old[2]);
    }
    addNumber("epsilon", budget.epsilon(), old[3], differences);
    addNumber("delta", budget.delta(), old[4], differences);
    if (differences.isEmpty()) {
      // The ledger holds a hash of the rest.
      differences.add(
          "another sample rate, number of samples or steps, noise, noise source, clipping or"
              + " accountant");
    }
    throw new IllegalStateException(
        "ledger must be opened with the plan, relation and budget it was started with, got "
            + String.join(" and ", differences)
            + " for "
            + file
            + "; open it with the plan that it was started with, or name another file for this"
            + " plan, whose budget is spent on top if the data are the same");
  }

  private static void addNumber(
      String name, double number, String stored, List<String> differences) {
    if (!stored.equals(Double.toHexString(number))) {
      differences.add(name + " " + number + " instead of " + Double.parseDouble(stored));
    }
  }
}
