/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.ledger;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.fastdp.accounting.DpSgd;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.accountant.RdpAccountant;
import ai.fastdp.accounting.event.DpEvent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A ledger's files under any name, and what is refused when they are not as they were left. */
class LedgerFilesTest {

  private static final DpEvent STEP = DpSgd.step(0.01, 1.25);

  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  Path directory;

  @SuppressWarnings("NullAway.Init") // before each test
  private Path file;

  @BeforeEach
  void nameTheLedger() {
    file = directory.resolve("ledger");
  }

  private static FileLedger open(Path file) {
    return FileLedger.open(file, new RdpAccountant(), new PrivacyBudget(3, 1e-6), "sha256:abc");
  }

  @Test
  void of_anyNameOfALedger_givesTheSameFiles() throws IOException {
    Path real = directory.toRealPath();
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
        open(file).close();
        Files.createFile(directory.resolve("report.html"));
      }
    }
    Path twin = Files.createLink(directory.resolve("twin"), file);
    assertThat(files.contains(twin)).isTrue();
  }

  @Test
  void all_afterARun_namesEveryFileInTheDirectory() {
    try (FileLedger ledger = open(file)) {
      ledger.charge(STEP);
    }
    TreeSet<String> found = new TreeSet<>(Arrays.asList(directory.toFile().list()));
    assertThat(found).containsExactly("ledger", "ledger.head", "ledger.lock");
  }

  @Test
  void open_twoHardLinks_isRefused() throws IOException {
    open(file).close();
    Path twin = Files.createLink(directory.resolve("twin"), file);
    for (Path name : List.of(file, twin)) {
      assertThatThrownBy(() -> open(name))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("ledger must have one name, got 2 hard links");
    }
    Files.delete(twin);
    open(file).close();
  }

  @Test
  void open_olderCopyThroughALink_isRefused() throws IOException {
    byte[] older;
    try (FileLedger ledger = open(file)) {
      ledger.charge(STEP);
      older = Files.readAllBytes(file);
      ledger.charge(STEP);
    }
    Files.write(file, older);
    Path elsewhere = Files.createDirectory(directory.resolve("elsewhere"));
    Path link = Files.createSymbolicLink(elsewhere.resolve("link"), file);
    assertThatThrownBy(() -> open(link)).hasMessageContaining("backwards");
    Files.delete(file);
    assertThatThrownBy(() -> open(link)).hasMessageContaining("backwards");
    // Nothing is in the way of the right one.
    assertThat(file).doesNotExist();
  }

  @Test
  void open_linkToNothing_startsTheLedgerWhereItPoints() throws IOException {
    Path elsewhere = Files.createDirectory(directory.resolve("elsewhere"));
    Path link = Files.createSymbolicLink(elsewhere.resolve("link"), Path.of("..", "ledger"));
    try (FileLedger ledger = open(link)) {
      ledger.charge(STEP);
      assertThatThrownBy(() -> open(file)).hasMessageContaining("open only once");
    }
    assertThat(elsewhere).isDirectoryContaining(found -> found.equals(link));
    assertThat(elsewhere.toFile().list()).hasSize(1);
    try (FileLedger ledger = open(file)) {
      assertThat(ledger.charges()).isEqualTo(1);
    }
  }

  @Test
  void open_chargesWithoutAHeadFile_isRefused() throws IOException {
    try (FileLedger ledger = open(file)) {
      ledger.charge(STEP);
    }
    Files.delete(directory.resolve("ledger.head"));
    assertThatThrownBy(() -> open(file))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("ledger with charges must have its head file");
  }

  @Test
  void open_notAnOrdinaryFile_isRefused() throws IOException {
    Files.createDirectory(file);
    assertThatThrownBy(() -> open(file))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("ledger must be an ordinary file");
    assertThat(directory.toFile().list()).hasSize(1);
  }
}
