/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.ledger;

import ai.fastdp.accounting.accountant.EpsilonBound;
import ai.fastdp.accounting.accountant.PrivacyAccountant;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.event.DpEvent;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * A ledger in a file that survives crashes: an event is on disk before {@link #charge} returns.
 *
 * <p>Every record is one line of text with a hash of itself and the one before, forced to disk. A
 * process that is killed while it writes leaves an unfinished last line; {@code charge} had not
 * returned then, so the event was not released, and the line is removed when the ledger is opened
 * again. Anything else that does not fit the chain is refused. A second file, with {@code .head}
 * appended to the name, holds the number of records and the newest hash, so that an older copy of
 * the ledger is refused, too; a ledger with charges must have it.
 *
 * <p>A mark says that something was saved which goes with the ledger. Together with {@link
 * LedgerPosition} it tells whether a saved state is the newest that this ledger knows of.
 *
 * <p>An open ledger has one owner, under whatever name it was opened: a file with {@code .lock}
 * appended to the name is locked while it is open, and stays when it is closed; one that a killed
 * process left is no obstacle. The ledger and its head may be read at any time. Before every write
 * the ledger checks that it is still the owner, that both files are the ones it opened, and that
 * they hold what it wrote last; otherwise it charges nothing and closes. This costs a few reads,
 * little beside the write that is forced to disk. {@link LedgerFiles} names all files.
 *
 * <p>The budget, the relation and the hash of the plan are in the first record and must be the same
 * whenever the ledger is opened; what earlier runs spent counts. Methods may be called from several
 * threads.
 */
public final class FileLedger implements PrivacyLedger {
  private final LedgerLock lock;
  private final FileChannel channel;
  private final LedgerHead head;
  private final LedgerChain chain = new LedgerChain();
  private final SpendingGuard guard;
  private final Map<DpEvent, Integer> numbers = new HashMap<>();
  private final List<Mark> marks = new ArrayList<>();
  private long charges;
  private boolean closed;

  /** A mark and the number of its record, from 1. */
  private record Mark(long record, String name) {}

  private FileLedger(LedgerLock lock, PrivacyAccountant accountant, PrivacyBudget budget) {
    this.lock = lock;
    this.channel = lock.ledger();
    this.head = new LedgerHead(lock.files());
    this.guard = new SpendingGuard(accountant, budget);
  }

  /**
   * Opens a ledger, or starts one if the file does not exist or is empty.
   *
   * @param file where it is
   * @param accountant an accountant that has seen nothing; it decides
   * @param budget the most that may be spent by all runs together
   * @param planHash identifies the plan; letters, digits and {@code .:_-}
   * @return the ledger, locked until it is closed
   * @throws IllegalArgumentException if {@code planHash} has other characters
   * @throws IllegalStateException if the ledger is open elsewhere, is damaged, is older than its
   *     head file, has charges and no head file, has hard links, or was started with another
   *     budget, relation or plan
   * @throws UncheckedIOException if a file cannot be read or written
   */
  public static FileLedger open(
      Path file, PrivacyAccountant accountant, PrivacyBudget budget, String planHash) {
    Objects.requireNonNull(accountant, "accountant");
    requirePlain("planHash", planHash);
    try {
      LedgerLock lock = LedgerLock.take(file);
      try {
        FileLedger ledger = new FileLedger(lock, accountant, budget);
        ledger.load(new LedgerHeader(planHash, accountant.relation(), budget));
        return ledger;
      } catch (IOException | RuntimeException e) {
        lock.close();
        throw e;
      }
    } catch (IOException e) {
      throw new UncheckedIOException("cannot open ledger " + file, e);
    }
  }

  private void load(LedgerHeader header) throws IOException {
    byte[] bytes = content();
    int complete = bytes.length;
    while (complete > 0 && bytes[complete - 1] != '\n') {
      complete--;
    }
    String text = new String(bytes, 0, Math.max(0, complete - 1), StandardCharsets.UTF_8);
    read(header, complete == 0 ? new String[0] : text.split("\n", -1));
    channel.truncate(complete);
    channel.position(complete);
    if (complete == 0) {
      append(header.text());
    } else {
      channel.force(true);
    }
    head.begin(position());
  }

  private void read(LedgerHeader header, String[] lines) throws IOException {
    Optional<LedgerPosition> promise = head.read();
    List<DpEvent> events = new ArrayList<>();
    for (String line : lines) {
      String record = chain.verify(line);
      if (chain.length() > 1) {
        replay(record, events);
      } else {
        header.requireSame(record, lock.files().ledger());
      }
      if (promise.isPresent()
          && chain.length() == promise.get().records()
          && !chain.head().equals(promise.get().hash())) {
        throw backwards();
      }
    }
    if (promise.isPresent() && chain.length() < promise.get().records()) {
      throw backwards();
    }
    if (promise.isEmpty() && chain.length() > 1) {
      throw new IllegalStateException(
          "ledger with charges must have its head file, got none at "
              + lock.files().head()
              + "; restore both files, or treat the budget as spent");
    }
  }

  private byte[] content() throws IOException {
    byte[] bytes = new byte[Math.toIntExact(channel.size())];
    ByteBuffer buffer = ByteBuffer.wrap(bytes);
    while (buffer.hasRemaining() && channel.read(buffer, buffer.position()) >= 0) {}
    return bytes;
  }

  private IllegalStateException backwards() {
    return new IllegalStateException(
        "ledger must not go backwards, got an older or other file than "
            + lock.files().head()
            + " remembers; restore the newest ledger");
  }

  private void replay(String record, List<DpEvent> events) {
    if (record.startsWith("event ")) {
      DpEvent event = EventText.read(record.substring(6));
      numbers.put(event, events.size());
      events.add(event);
    } else if (record.startsWith("charge ")) {
      guard.record(events.get(Integer.parseInt(record.substring(7))));
      charges++;
    } else if (record.startsWith("mark ")) {
      marks.add(new Mark(chain.length(), record.substring(5)));
    } else {
      throw new IllegalStateException(
          "ledger must hold known records, got '"
              + record
              + "'; open it by the version of fastdp that wrote it");
    }
  }

  @Override
  public PrivacyBudget budget() {
    return guard.budget();
  }

  @Override
  public synchronized void charge(DpEvent event) {
    requireOpen();
    guard.requireFits(event);
    Integer number = numbers.get(event);
    if (number == null) {
      number = numbers.size();
      writeOrClose("event " + EventText.write(event), "charge " + number);
      numbers.put(event, number);
    } else {
      writeOrClose("charge " + number);
    }
    guard.record(event);
    charges++;
  }

  /** {@return the number of events charged by all runs together} */
  @Override
  public synchronized long charges() {
    return charges;
  }

  /** {@return the position after the newest record} */
  public synchronized LedgerPosition position() {
    return new LedgerPosition(chain.length(), chain.head());
  }

  /**
   * Records that something was saved, such as a checkpoint; nothing is charged.
   *
   * @param name names what was saved; letters, digits and {@code .:_-}
   * @throws IllegalArgumentException if {@code name} has other characters
   * @throws IllegalStateException if the ledger is closed
   * @throws UncheckedIOException if the file cannot be written
   */
  public synchronized void mark(String name) {
    requireOpen();
    requirePlain("name", name);
    writeOrClose("mark " + name);
    marks.add(new Mark(chain.length(), name));
  }

  /**
   * The marks that were made after a position, oldest first.
   *
   * @param position a position of this ledger, of this or an earlier run
   * @return the names of the marks
   * @throws IllegalStateException if the ledger has never been at the position: it is an older copy
   *     of the ledger that has, or another one
   * @throws UncheckedIOException if the file cannot be read
   */
  public synchronized List<String> marksAfter(LedgerPosition position) {
    requireOpen();
    if (!hasBeenAt(position)) {
      throw new IllegalStateException(
          "ledger must have record "
              + position.records()
              + " with hash "
              + position.hash()
              + ", got an older copy or another ledger of "
              + chain.length()
              + " records; restore the newest ledger");
    }
    return marks.stream()
        .filter(mark -> mark.record() > position.records())
        .map(Mark::name)
        .toList();
  }

  private boolean hasBeenAt(LedgerPosition position) {
    if (position.records() > chain.length()) {
      return false;
    }
    LedgerChain replayed = new LedgerChain();
    try {
      String text = new String(content(), StandardCharsets.UTF_8);
      text.lines().limit(position.records()).forEach(replayed::verify);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read the ledger", e);
    }
    return replayed.head().equals(position.hash());
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("ledger must be open, got a closed one; open the file again");
    }
  }

  private static void requirePlain(String what, String text) {
    if (!text.matches("[A-Za-z0-9.:_-]+")) {
      throw new IllegalArgumentException(
          what + " must consist of letters, digits and .:_-, got '" + text + "'");
    }
  }

  private void writeOrClose(String... records) {
    try {
      requireOwn();
      append(records);
      head.move(position());
    } catch (IOException e) {
      // Part of the record may be on disk: nothing can be said about this ledger any more.
      close();
      throw new UncheckedIOException("cannot write the ledger; nothing may be released", e);
    }
  }

  private void requireOwn() throws IOException {
    String wrong = lock.lost();
    if (wrong == null && channel.size() != channel.position()) {
      wrong = "another length than it wrote";
    }
    if (wrong == null && !head.isOwn()) {
      wrong = "another head file than it wrote";
    }
    if (wrong != null) {
      close();
      throw new IllegalStateException(
          "ledger must be changed by its owner alone while it is open, got "
              + wrong
              + " at "
              + lock.files().ledger()
              + "; find what else writes there before you open it again");
    }
  }

  private void append(String... records) throws IOException {
    StringBuilder lines = new StringBuilder();
    for (String record : records) {
      lines.append(chain.append(record));
    }
    ByteBuffer buffer = ByteBuffer.wrap(lines.toString().getBytes(StandardCharsets.UTF_8));
    while (buffer.hasRemaining()) {
      channel.write(buffer);
    }
    channel.force(true);
  }

  @Override
  public synchronized EpsilonBound spent() {
    return guard.spent();
  }

  @Override
  public synchronized Map<DpEvent, Long> charged() {
    return guard.charged();
  }

  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    try {
      try {
        head.close();
      } finally {
        lock.close();
      }
    } catch (IOException e) {
      throw new UncheckedIOException("cannot close the ledger", e);
    }
  }
}
