/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.ledger;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.fastdp.accounting.DpSgd;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.accountant.RdpAccountant;
import ai.fastdp.accounting.event.DpEvent;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** One ledger, one writer: among processes, among threads, under any name. */
@Tag("slow")
class LedgerOwnerTest {

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

  private static void requireRefused(Path name) {
    assertThatThrownBy(() -> open(name))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("ledger must be open only once");
  }

  // ---------------------------------------------------------------- other processes

  @Test
  void open_afterThisProcessReadTheLedger_otherProcessIsRefused() throws Exception {
    try (FileLedger ledger = open(file)) {
      ledger.charge(STEP);
      // Closing any channel on a file drops the process's POSIX locks on it.
      assertThat(Files.readAllBytes(file)).isNotEmpty();
      assertThat(Other.charges(file, 2)).startsWith("refused: ledger must be open only once");
      ledger.charge(STEP);
    }
    assertThat(chargesOf(file)).isEqualTo(2);
  }

  @Test
  void open_afterASecondOpenWasRefusedHere_otherProcessIsRefused() throws Exception {
    Path link = Files.createSymbolicLink(directory.resolve("link"), file);
    Path twin = directory.resolve("twin");
    try (FileLedger ledger = open(file)) {
      Files.createLink(twin, file);
      ledger.charge(STEP);
      requireRefused(file);
      requireRefused(link);
      requireRefused(twin);
      requireRefused(directory.resolve(".").resolve("ledger"));
      assertThat(Other.charges(twin, 2)).startsWith("refused: ledger must have one name");
      Files.delete(twin);
      for (Path name : List.of(file, link)) {
        assertThat(Other.charges(name, 2)).startsWith("refused: ledger must be open only once");
      }
      ledger.charge(STEP);
    }
    assertThat(chargesOf(file)).isEqualTo(2);
  }

  @Test
  void charge_afterAnotherProcessWasRefused_goesOn() throws Exception {
    try (FileLedger ledger = open(file)) {
      // One of the two locks is lost, and the other holds.
      Files.readAllBytes(directory.resolve("ledger.lock"));
      assertThat(Other.charges(file, 1)).startsWith("refused: ledger must be open only once");
      ledger.charge(STEP);
    }
  }

  @Test
  void charge_afterAnotherProcessTookTheLedger_isRefused() throws Exception {
    try (FileLedger ledger = open(file)) {
      ledger.charge(STEP);
      // The worst that a backup in this process can do: both locks are lost.
      Files.readAllBytes(file);
      Files.readAllBytes(directory.resolve("ledger.lock"));
      assertThat(Other.charges(file, 2)).isEqualTo("charged 2");
      requireLost(ledger);
    }
    assertThat(chargesOf(file)).isEqualTo(3);
  }

  @Test
  void charge_severalProcessesInTurn_everyReturnedChargeIsOnTheLedger() throws Exception {
    List<Process> others = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      others.add(Other.start(file, "turns", 25));
    }
    int mine = 0;
    while (others.stream().anyMatch(Process::isAlive)) {
      try (FileLedger ledger = open(file)) {
        ledger.charge(STEP);
        mine++;
        Files.readAllBytes(file);
      } catch (IllegalStateException inUse) {
        assertThat(inUse).hasMessageContaining("open only once");
      }
      Thread.sleep(5);
    }
    int theirs = 0;
    for (Process other : others) {
      assertThat(Other.lastLine(other)).isEqualTo("charged 25");
      theirs += 25;
    }
    assertThat(chargesOf(file)).isEqualTo(mine + theirs);
  }

  @Test
  void open_afterTheOwnerWasKilled_goesOn() throws Exception {
    Process owner = Other.start(file, "hold", 1);
    assertThat(owner.inputReader().readLine()).isEqualTo("charged 1");
    requireRefused(file);
    owner.destroyForcibly().waitFor();
    assertThat(directory.resolve("ledger.lock")).exists();
    assertThat(chargesOf(file)).isEqualTo(1);
  }

  // ---------------------------------------------------------------- threads and names

  @Test
  void open_manyThreadsUnderSeveralNames_oneSucceeds() throws Exception {
    open(file).close();
    Path link = Files.createSymbolicLink(directory.resolve("link"), file);
    Path folder = Files.createSymbolicLink(directory.resolve("folder"), directory);
    List<Path> names = List.of(file, link, folder.resolve("ledger"), folder.resolve("link"));
    ExecutorService threads = Executors.newFixedThreadPool(8);
    List<Callable<Boolean>> tries = new ArrayList<>();
    List<FileLedger> opened = new ArrayList<>();
    for (int i = 0; i < 32; i++) {
      Path name = names.get(i % names.size());
      tries.add(
          () -> {
            try {
              FileLedger ledger = open(name);
              synchronized (opened) {
                opened.add(ledger);
              }
              return true;
            } catch (IllegalStateException refused) {
              return false;
            }
          });
    }
    int successes = 0;
    for (Future<Boolean> result : threads.invokeAll(tries)) {
      successes += result.get() ? 1 : 0;
    }
    threads.shutdown();
    assertThat(successes).isOne();
    opened.get(0).close();
    for (Path name : names) {
      open(name).close();
    }
  }

  // ---------------------------------------------------------------- changes while it is open

  /** What can happen to the files behind the owner's back. */
  enum Change {
    APPENDED {
      @Override
      void make(Path ledger) throws IOException {
        Files.writeString(ledger, "charge 0\n", StandardOpenOption.APPEND);
      }
    },
    CUT {
      @Override
      void make(Path ledger) throws IOException {
        try (var channel = Files.newByteChannel(ledger, StandardOpenOption.WRITE)) {
          channel.truncate(channel.size() - 1);
        }
      }
    },
    REPLACED_BY_A_COPY {
      @Override
      void make(Path ledger) throws IOException {
        Path copy = Files.copy(ledger, ledger.resolveSibling("copy"));
        Files.move(copy, ledger, StandardCopyOption.REPLACE_EXISTING);
      }
    },
    RENAMED_WITH_ITS_HEAD {
      @Override
      void make(Path ledger) throws IOException {
        Files.move(ledger, ledger.resolveSibling("moved"));
        Files.move(ledger.resolveSibling("ledger.head"), ledger.resolveSibling("moved.head"));
      }
    },
    DELETED {
      @Override
      void make(Path ledger) throws IOException {
        Files.delete(ledger);
      }
    },
    HEAD_DELETED {
      @Override
      void make(Path ledger) throws IOException {
        Files.delete(ledger.resolveSibling("ledger.head"));
      }
    },
    HEAD_CHANGED {
      @Override
      void make(Path ledger) throws IOException {
        Files.writeString(ledger.resolveSibling("ledger.head"), "1 00\n");
      }
    },
    LOCK_DELETED {
      @Override
      void make(Path ledger) throws IOException {
        Files.delete(ledger.resolveSibling("ledger.lock"));
      }
    },
    ALL_DELETED {
      @Override
      void make(Path ledger) throws IOException {
        for (String name : List.of("ledger", "ledger.head", "ledger.lock")) {
          Files.delete(ledger.resolveSibling(name));
        }
      }
    };

    abstract void make(Path ledger) throws IOException;
  }

  @ParameterizedTest
  @EnumSource
  void charge_filesChangedWhileOpen_isRefusedAndClosesTheLedger(Change change) throws IOException {
    try (FileLedger ledger = open(file)) {
      ledger.charge(STEP);
      change.make(file);
      requireLost(ledger);
      assertThat(ledger.charges()).isEqualTo(1);
    }
  }

  @Test
  void open_ledgerRenamedWhileOpen_isRefusedUnderTheNewName() throws Exception {
    try (FileLedger ledger = open(file)) {
      ledger.charge(STEP);
      Change.RENAMED_WITH_ITS_HEAD.make(file);
      requireRefused(directory.resolve("moved"));
      assertThat(Other.charges(directory.resolve("moved"), 1)).startsWith("refused: ledger must");
      requireLost(ledger);
    }
    assertThat(chargesOf(directory.resolve("moved"))).isEqualTo(1);
  }

  private static void requireLost(FileLedger ledger) {
    assertThatThrownBy(() -> ledger.charge(STEP))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("ledger must be changed by its owner alone");
    assertThatThrownBy(() -> ledger.charge(STEP)).hasMessageContaining("ledger must be open");
  }

  private static long chargesOf(Path file) {
    try (FileLedger ledger = open(file)) {
      return ledger.charges();
    }
  }

  /** Another process. */
  static final class Other {

    private Other() {}

    static Process start(Path file, String what, int count) throws IOException {
      return new ProcessBuilder(
              Path.of(System.getProperty("java.home"), "bin", "java").toString(),
              "-Xshare:auto",
              "-XX:TieredStopAtLevel=1",
              "-cp",
              System.getProperty("java.class.path"),
              Other.class.getName(),
              file.toString(),
              what,
              Integer.toString(count))
          .redirectErrorStream(true)
          .start();
    }

    static String charges(Path file, int count) throws Exception {
      return lastLine(start(file, "once", count));
    }

    static String lastLine(Process process) throws Exception {
      String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      assertThat(process.waitFor()).as(out).isZero();
      return out.strip().lines().reduce((first, second) -> second).orElse("");
    }

    public static void main(String[] arguments) throws Exception {
      Path file = Path.of(arguments[0]);
      int count = Integer.parseInt(arguments[2]);
      switch (arguments[1]) {
        case "turns" -> takeTurns(file, count);
        default -> {
          try (FileLedger ledger = open(file)) {
            for (int i = 0; i < count; i++) {
              ledger.charge(STEP);
            }
            System.out.println("charged " + count);
            if (arguments[1].equals("hold")) {
              Thread.sleep(60_000);
            }
          } catch (IllegalStateException e) {
            System.out.println("refused: " + e.getMessage());
          }
        }
      }
    }

    private static void takeTurns(Path file, int count) throws Exception {
      int charged = 0;
      while (charged < count) {
        try (FileLedger ledger = open(file)) {
          ledger.charge(STEP);
          charged++;
        } catch (IllegalStateException inUse) {
          Thread.sleep(1);
        }
      }
      System.out.println("charged " + charged);
    }
  }
}
