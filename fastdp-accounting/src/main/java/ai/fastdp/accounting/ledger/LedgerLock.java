/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.ledger;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Collections;
import java.util.HashSet;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * Gives a ledger one owner.
 *
 * <p>A POSIX lock belongs to a process and a file, and is gone as soon as the process closes
 * <em>any</em> channel on the file, one that only read included. The lock is therefore on a
 * separate file, which is opened nowhere else, and what this process has open is known before a
 * channel is opened. Should the lock be lost all the same, the next owner writes another token into
 * the lock file, which the first one sees before it writes again.
 *
 * <p>The ledger itself is locked, too, in one byte far behind its end: that keeps out whoever comes
 * to the same file by another name, and it hinders no reader where locks are mandatory.
 */
final class LedgerLock implements Closeable {

  /** The real paths and file keys of all ledgers that this process has open. */
  private static final Set<Object> OPEN = Collections.synchronizedSet(new HashSet<>());

  private static final long FAR_BEHIND_THE_END = 1L << 40;

  private final LedgerFiles files;
  private final Set<Object> names = new HashSet<>();
  private final byte[] token = UUID.randomUUID().toString().getBytes(StandardCharsets.US_ASCII);
  private @Nullable FileChannel lock;
  private @Nullable FileChannel ledger;
  private @Nullable Object lockKey;
  private @Nullable Object ledgerKey;

  private LedgerLock(LedgerFiles files) {
    this.files = files;
  }

  /**
   * Takes a ledger's file, and creates it if it does not exist.
   *
   * @throws IllegalStateException if it is in use, or is no file that can be locked safely
   */
  static LedgerLock take(Path file) throws IOException {
    synchronized (OPEN) {
      LedgerLock taken = new LedgerLock(existing(file));
      try {
        taken.register(taken.files.ledger());
        taken.register(key(taken.files.ledger()));
        taken.requireOrdinary();
        taken.open();
        return taken;
      } catch (IOException | RuntimeException e) {
        taken.close();
        throw e;
      }
    }
  }

  private static LedgerFiles existing(Path file) throws IOException {
    LedgerFiles files = LedgerFiles.of(file);
    // In this order: whoever starts a ledger makes its head file second.
    boolean remembered = Files.exists(files.head());
    if (!Files.exists(files.ledger())) {
      if (remembered) {
        throw new IllegalStateException(
            "ledger must not go backwards, got no file "
                + files.ledger()
                + " although there is "
                + files.head()
                + "; restore the newest ledger");
      }
      try {
        Files.createFile(files.ledger());
      } catch (FileAlreadyExistsException e) {
        // Another process was faster, and the lock will tell.
      }
    }
    // Once more: only a file that exists tells its real name where upper case equals lower case.
    return LedgerFiles.of(files.ledger());
  }

  private void register(@Nullable Object name) {
    if (name == null || names.contains(name)) {
      return;
    }
    if (!OPEN.add(name)) {
      throw inUse();
    }
    names.add(name);
  }

  private void requireOrdinary() throws IOException {
    if (!Files.isRegularFile(files.ledger())) {
      throw new IllegalStateException(
          "ledger must be an ordinary file, got " + files.ledger() + "; name another");
    }
    int links = hardLinks();
    if (links != 1) {
      throw new IllegalStateException(
          "ledger must have one name, got "
              + links
              + " hard links to "
              + files.ledger()
              + "; each name would have a lock and a head file of its own: delete the others");
    }
  }

  private int hardLinks() throws IOException {
    if (!files.ledger().getFileSystem().supportedFileAttributeViews().contains("unix")) {
      return 1;
    }
    return (Integer) Files.getAttribute(files.ledger(), "unix:nlink");
  }

  private void open() throws IOException {
    FileChannel ofLock =
        FileChannel.open(
            files.lock(),
            StandardOpenOption.CREATE,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE);
    lock = ofLock;
    requireLocked(ofLock, 0, Long.MAX_VALUE);
    lockKey = key(files.lock());
    FileChannel ofLedger =
        FileChannel.open(files.ledger(), StandardOpenOption.READ, StandardOpenOption.WRITE);
    ledger = ofLedger;
    requireLocked(ofLedger, FAR_BEHIND_THE_END, 1);
    // Some file systems give a file another key when it is first opened for writing.
    ledgerKey = key(files.ledger());
    register(ledgerKey);
    // Not before both are locked: an owner that is still there must not find another token.
    ofLock.truncate(0);
    writeFully(ofLock, token);
  }

  private void requireLocked(FileChannel channel, long position, long size) throws IOException {
    try {
      if (channel.tryLock(position, size, false) == null) {
        throw inUse();
      }
    } catch (OverlappingFileLockException e) {
      throw inUse();
    }
  }

  private IllegalStateException inUse() {
    return new IllegalStateException(
        "ledger must be open only once, got "
            + files.ledger()
            + " in use; close the other run first");
  }

  /** Returns a key that identifies a file under all its names, where the system has one. */
  private static @Nullable Object key(Path file) throws IOException {
    return Files.readAttributes(file, BasicFileAttributes.class).fileKey();
  }

  private static void writeFully(FileChannel channel, byte[] bytes) throws IOException {
    ByteBuffer buffer = ByteBuffer.wrap(bytes);
    while (buffer.hasRemaining()) {
      channel.write(buffer, buffer.position());
    }
  }

  LedgerFiles files() {
    return files;
  }

  /** The ledger's channel; it is closed with this lock. */
  FileChannel ledger() {
    return Objects.requireNonNull(ledger);
  }

  /**
   * Checks that the ledger still has this owner.
   *
   * @return what is wrong, or null
   */
  @Nullable String lost() throws IOException {
    ByteBuffer found = ByteBuffer.allocate(token.length + 1);
    FileChannel ofLock = Objects.requireNonNull(lock);
    while (found.hasRemaining() && ofLock.read(found, found.position()) >= 0) {}
    if (!found.flip().equals(ByteBuffer.wrap(token))) {
      return "another owner, who has taken it in the meantime";
    }
    try {
      if (!Objects.equals(key(files.ledger()), ledgerKey)) {
        return "another file in the ledger's place";
      }
      if (!Objects.equals(key(files.lock()), lockKey)) {
        return "another file in the lock file's place";
      }
    } catch (NoSuchFileException e) {
      return "no file " + e.getFile() + " any more";
    }
    return null;
  }

  /** Gives the ledger free. */
  @Override
  public void close() throws IOException {
    // The lock file is not deleted: somebody may be about to lock it.
    try {
      close(ledger);
    } finally {
      try {
        close(lock);
      } finally {
        OPEN.removeAll(names);
        names.clear();
      }
    }
  }

  private static void close(@Nullable FileChannel channel) throws IOException {
    if (channel != null) {
      channel.close();
    }
  }
}
