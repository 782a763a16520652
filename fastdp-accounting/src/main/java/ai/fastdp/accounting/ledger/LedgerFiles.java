/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.ledger;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystemLoopException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * The files that a {@link FileLedger} uses, as real paths: symbolic links are resolved, so that a
 * ledger has the same files under any name.
 *
 * <p>Nothing else may be written to them during a run, and nothing may read the lock file in the
 * process that has the ledger open.
 *
 * @param ledger the ledger itself
 * @param head the number of its records and the newest hash
 * @param nextHead what becomes the head file of a new ledger
 * @param lock what is locked while the ledger is open; it stays when the ledger is closed
 */
public record LedgerFiles(Path ledger, Path head, Path nextHead, Path lock) {

  // More links in a row than any system follows.
  private static final int MAX_LINKS = 64;

  /**
   * Names the files of a ledger, whether they exist or not; nothing is opened.
   *
   * @param file where the ledger is, or is to be
   * @return its files
   * @throws UncheckedIOException if the path cannot be resolved
   */
  public static LedgerFiles of(Path file) {
    Path real = realPath(file);
    return new LedgerFiles(
        real, beside(real, ".head"), beside(real, ".head.new"), beside(real, ".lock"));
  }

  /**
   * Tells whether a path leads to one of these files, by a symbolic or a hard link, too.
   *
   * @param other any path; its file may be missing
   * @return whether writing there would write to a file of the ledger
   * @throws UncheckedIOException if the path cannot be resolved
   */
  public boolean contains(Path other) {
    Path real = realPath(other);
    try {
      for (Path file : all()) {
        if (file.equals(real)
            || (Files.exists(file) && Files.exists(real) && Files.isSameFile(file, real))) {
          return true;
        }
      }
      return false;
    } catch (IOException e) {
      throw new UncheckedIOException("cannot compare " + other + " with the ledger's files", e);
    }
  }

  /**
   * All the files.
   *
   * @return the paths, the ledger's first
   */
  public List<Path> all() {
    return List.of(ledger, head, nextHead, lock);
  }

  private static Path beside(Path file, String suffix) {
    return file.resolveSibling(file.getFileName() + suffix);
  }

  /**
   * Resolves all links of a path, also of a file that does not exist yet, or that a link to nothing
   * names.
   *
   * @param path any path
   * @return the path without symbolic links
   * @throws UncheckedIOException if links lead in a circle, or the path cannot be read
   */
  public static Path realPath(Path path) {
    try {
      return realPath(path, MAX_LINKS);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot resolve the path " + path, e);
    }
  }

  private static Path realPath(Path path, int linksLeft) throws IOException {
    Path absolute = path.toAbsolutePath();
    if (Files.exists(absolute)) {
      return absolute.toRealPath();
    }
    Path parent = absolute.getParent();
    if (parent == null || absolute.getFileName() == null) {
      return absolute;
    }
    if (linksLeft == 0) {
      throw new FileSystemLoopException(path.toString());
    }
    Path place = realPath(parent, linksLeft);
    return Files.isSymbolicLink(absolute)
        ? realPath(place.resolve(Files.readSymbolicLink(absolute)), linksLeft - 1)
        : place.resolve(absolute.getFileName()).normalize();
  }
}
