/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.fastdp.accounting.ledger.LedgerFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The files of a run: no two of them may be one.
 *
 * @param ledger what has been charged; null for a ledger in memory
 * @param checkpoint where the run is saved; null for nowhere
 * @param everySteps how many steps lie between two checkpoints
 * @param report where every step is described; null for nowhere
 */
record RunFiles(
    @Nullable Path ledger,
    @Nullable Path checkpoint,
    long everySteps,
    @Nullable TrainingReport report) {

  RunFiles {
    if (checkpoint != null && ledger == null) {
      throw new IllegalStateException(
          "a run with checkpoints must have its ledger in a file, got none; call optLedger(file),"
              + " or what was spent would be forgotten");
    }
    List<Path> taken = new ArrayList<>();
    if (ledger != null) {
      taken.addAll(LedgerFiles.of(ledger).all());
    }
    if (checkpoint != null) {
      Path unfinished = checkpoint.resolveSibling(checkpoint.getFileName() + ".new");
      take("checkpoint", checkpoint, taken);
      take("checkpoint", unfinished, taken);
    }
    if (report != null) {
      take("report", report.file(), taken);
    }
  }

  private static void take(String name, Path file, List<Path> taken) {
    Path real = LedgerFiles.realPath(file);
    for (Path other : taken) {
      if (isSame(real, other)) {
        throw new IllegalArgumentException(
            name
                + " must be a file of its own, got "
                + file
                + ", which the run's ledger or checkpoint is kept in; name another file");
      }
    }
    taken.add(real);
  }

  private static boolean isSame(Path file, Path other) {
    try {
      return file.equals(other)
          || (Files.exists(file) && Files.exists(other) && Files.isSameFile(file, other));
    } catch (IOException e) {
      throw new UncheckedIOException("files of a run must be readable", e);
    }
  }
}
