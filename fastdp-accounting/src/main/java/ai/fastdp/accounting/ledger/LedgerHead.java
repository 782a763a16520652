/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.ledger;

import java.io.Closeable;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The head file of a ledger: the number of its records and the newest hash.
 *
 * <p>A head that lags behind its ledger is no harm, so only the first of a ledger is forced to
 * disk. The others are written over it, all of one length below a sector's, so that the file holds
 * an old one or the new one whatever happens.
 */
final class LedgerHead implements Closeable {

  private static final int LENGTH = 64;

  private final LedgerFiles files;
  private @Nullable FileChannel channel;
  private byte[] written = {};

  LedgerHead(LedgerFiles files) {
    this.files = files;
  }

  /** Returns the content of the file, if it exists. */
  Optional<LedgerPosition> read() throws IOException {
    if (!Files.exists(files.head())) {
      return Optional.empty();
    }
    String text = new String(Files.readAllBytes(files.head()), StandardCharsets.UTF_8).strip();
    if (!text.matches("[0-9]{1,18} [0-9a-f]{1,32}")) {
      throw new IllegalStateException(
          "head file must hold a count and a hash, got another text in "
              + files.head()
              + "; restore it with its ledger, or treat the budget as spent");
    }
    int space = text.indexOf(' ');
    return Optional.of(
        new LedgerPosition(Long.parseLong(text.substring(0, space)), text.substring(space + 1)));
  }

  /** Writes the first head of a run. */
  void begin(LedgerPosition position) throws IOException {
    written = text(position);
    if (!Files.exists(files.head()) || Files.size(files.head()) != LENGTH) {
      replace();
    }
    channel = FileChannel.open(files.head(), StandardOpenOption.WRITE);
    write(channel);
  }

  /** Makes the file that heads are written to, and forces it to disk. */
  private void replace() throws IOException {
    try (FileChannel next =
        FileChannel.open(
            files.nextHead(),
            StandardOpenOption.CREATE,
            StandardOpenOption.WRITE,
            StandardOpenOption.TRUNCATE_EXISTING)) {
      write(next);
      next.force(true);
    }
    Files.move(
        files.nextHead(),
        files.head(),
        StandardCopyOption.ATOMIC_MOVE,
        StandardCopyOption.REPLACE_EXISTING);
    forceDirectory();
  }

  /** Makes new files' names durable; Windows does so itself and opens no directory. */
  private void forceDirectory() throws IOException {
    Path directory = files.head().getParent();
    if (directory != null && File.separatorChar == '/') {
      try (FileChannel opened = FileChannel.open(directory, StandardOpenOption.READ)) {
        opened.force(true);
      }
    }
  }

  /** Writes a newer head. */
  void move(LedgerPosition position) throws IOException {
    written = text(position);
    write(Objects.requireNonNull(channel));
  }

  private static byte[] text(LedgerPosition position) {
    byte[] text = new byte[LENGTH];
    Arrays.fill(text, (byte) ' ');
    byte[] words = (position.records() + " " + position.hash()).getBytes(StandardCharsets.US_ASCII);
    System.arraycopy(words, 0, text, 0, words.length);
    text[LENGTH - 1] = '\n';
    return text;
  }

  private void write(FileChannel to) throws IOException {
    ByteBuffer buffer = ByteBuffer.wrap(written);
    while (buffer.hasRemaining()) {
      to.write(buffer, buffer.position());
    }
  }

  /** Returns whether the file holds the last content that was written. */
  boolean isOwn() throws IOException {
    try {
      return Arrays.equals(Files.readAllBytes(files.head()), written);
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  @Override
  public void close() throws IOException {
    if (channel != null) {
      channel.close();
    }
  }
}
