/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LedgerFilesTest {

  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  Path directory;

  @Test
  void of_anyNameOfALedger_givesTheSameFiles() throws IOException {
    Path real = directory.toRealPath();
    Path file = directory.resolve("ledger");
    Path folder = Files.createSymbolicLink(directory.resolve("folder"), directory);
    Path link = Files.createSymbolicLink(directory.resolve("link"), Path.of("folder", "ledger"));
    Path chain = Files.createSymbolicLink(directory.resolve("chain"), link);
    for (int round = 0; round < 2; round++) {
      LedgerFiles files = LedgerFiles.of(file);
      assertThat(files.all())
          .containsExactly(
              real.resolve("ledger"),
              real.resolve("ledger.head"),
              real.resolve("ledger.head.new"),
              real.resolve("ledger.lock"));
      for (Path name :
          new Path[] {folder.resolve("ledger"), link, chain, folder.resolve("..").resolve(file)}) {
        assertThat(LedgerFiles.of(name)).isEqualTo(files);
      }
      // Once more with a ledger that exists.
      if (round == 0) {
        Files.createFile(file);
      }
    }
  }

  @Test
  void contains_everyNameOfTheFilesAndNoOther() throws IOException {
    Path file = directory.resolve("ledger");
    Path folder = Files.createSymbolicLink(directory.resolve("folder"), directory);
    Path head = Files.createSymbolicLink(directory.resolve("checkpoint"), Path.of("ledger.head"));
    LedgerFiles files = LedgerFiles.of(file);
    for (int round = 0; round < 2; round++) {
      for (Path own : files.all()) {
        assertThat(files.contains(own)).isTrue();
        assertThat(files.contains(folder.resolve(own.getFileName()))).isTrue();
      }
      assertThat(files.contains(head)).isTrue();
      for (String other : new String[] {"ledger.safetensors", "ledger.head.new2", "report.html"}) {
        assertThat(files.contains(directory.resolve(other))).isFalse();
        assertThat(files.contains(folder.resolve("missing").resolve(other))).isFalse();
      }
      if (round == 0) {
        FileLedger.open(file, new RdpAccountant(), new PrivacyBudget(3, 1e-6), "plan").close();
        Files.createFile(directory.resolve("report.html"));
      }
    }
    Path twin = Files.createLink(directory.resolve("twin"), file);
    assertThat(files.contains(twin)).isTrue();
  }

  @Test
  void all_afterARun_namesEveryFileInTheDirectory() {
    Path file = directory.resolve("ledger");
    try (FileLedger ledger =
        FileLedger.open(file, new RdpAccountant(), new PrivacyBudget(3, 1e-6), "plan")) {
      ledger.charge(new GaussianEvent(300));
    }
    TreeSet<String> found = new TreeSet<>(Arrays.asList(directory.toFile().list()));
    assertThat(found).containsExactly("ledger", "ledger.head", "ledger.lock");
  }
}
