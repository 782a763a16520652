/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.ledger;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.fastdp.accounting.DpSgd;
import ai.fastdp.accounting.accountant.EpsilonBound;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.accountant.RdpAccountant;
import ai.fastdp.accounting.event.ComposedEvent;
import ai.fastdp.accounting.event.DiscreteGaussianEvent;
import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.LaplaceEvent;
import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.event.NoOpEvent;
import ai.fastdp.accounting.event.PoissonSampledEvent;
import ai.fastdp.accounting.event.QuantileQueryEvent;
import ai.fastdp.accounting.event.SampledWithoutReplacementEvent;
import ai.fastdp.accounting.event.SelfComposedEvent;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("slow")
class FileLedgerTest {

  private static final DpEvent STEP = DpSgd.step(0.01, 1.25);
  private static final DpEvent QUERY = new GaussianEvent(300);
  private static final PrivacyBudget BUDGET = new PrivacyBudget(3, 1e-6);

  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  Path directory;

  private static FileLedger open(Path file) {
    return FileLedger.open(file, new RdpAccountant(), BUDGET, "sha256:abc");
  }

  private static EpsilonBound of(int steps, int queries) {
    RdpAccountant accountant = new RdpAccountant();
    accountant.compose(STEP, steps);
    accountant.compose(QUERY, queries);
    return accountant.epsilon(BUDGET.delta());
  }

  private static double upper(EpsilonBound bound) {
    return bound.upper().getAsDouble();
  }

  @Test
  void open_again_continuesWhereItWas() {
    Path file = directory.resolve("ledger");
    for (int run = 0; run < 3; run++) {
      try (FileLedger ledger = open(file)) {
        assertThat(upper(ledger.spent())).isEqualTo(upper(of(10 * run, 5 * run)));
        for (int i = 0; i < 5; i++) {
          ledger.charge(STEP);
          ledger.charge(QUERY);
          ledger.charge(STEP);
        }
      }
    }
  }

  @Test
  void charge_beyondTheBudget_throwsAndWritesNothing() throws IOException {
    Path file = directory.resolve("ledger");
    try (FileLedger ledger = open(file)) {
      ledger.charge(STEP);
      byte[] before = Files.readAllBytes(file);
      assertThatThrownBy(() -> ledger.charge(new GaussianEvent(0.1)))
          .isInstanceOf(PrivacyBudgetExceededException.class);
      assertThat(Files.readAllBytes(file)).isEqualTo(before);
      ledger.charge(STEP);
    }
  }

  @Test
  void open_afterTruncationAtAnyByte_neverReportsLessThanWasReleased() throws IOException {
    Path whole = directory.resolve("whole");
    int[] endOf = new int[41];
    List<byte[]> headOf = new ArrayList<>();
    try (FileLedger ledger = open(whole)) {
      for (int i = 0; i <= 40; i++) {
        if (i > 0) {
          ledger.charge(i % 4 == 0 ? QUERY : STEP);
        }
        endOf[i] = (int) Files.size(whole);
        headOf.add(Files.readAllBytes(directory.resolve("whole.head")));
      }
    }
    byte[] bytes = Files.readAllBytes(whole);
    Random random = new Random(20261121);
    Path cut = directory.resolve("cut");
    Path head = directory.resolve("cut.head");
    for (int trial = 0; trial < 1000; trial++) {
      int position = random.nextInt(bytes.length + 1);
      // A process killed while byte number `position` was written: earlier charges had returned.
      int released = 0;
      while (released < 40 && endOf[released + 1] <= position) {
        released++;
      }
      Files.write(cut, Arrays.copyOf(bytes, position));
      if (position < endOf[0]) {
        Files.deleteIfExists(head);
      } else {
        // It may lag behind by a record, if the process was killed before it wrote the newest.
        Files.write(head, headOf.get(Math.max(0, released - random.nextInt(2))));
      }
      try (FileLedger ledger = open(cut)) {
        int steps = released - released / 4;
        assertThat(upper(ledger.spent())).isEqualTo(upper(of(steps, released / 4)));
        ledger.charge(STEP);
      }
      try (FileLedger ledger = open(cut)) {
        assertThat(upper(ledger.spent()))
            .isEqualTo(upper(of(released - released / 4 + 1, released / 4)));
      }
    }
  }

  @Test
  void open_olderCopy_isRefused() throws IOException {
    Path file = directory.resolve("ledger");
    byte[] older;
    try (FileLedger ledger = open(file)) {
      ledger.charge(STEP);
      older = Files.readAllBytes(file);
      ledger.charge(STEP);
    }
    Files.write(file, older);
    assertThatThrownBy(() -> open(file))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("backwards");
    Files.delete(file);
    assertThatThrownBy(() -> open(file))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("backwards");
  }

  @Test
  void open_anyFlippedByte_isRefusedOrChangesNothing() throws IOException {
    Path file = directory.resolve("ledger");
    try (FileLedger ledger = open(file)) {
      for (int i = 0; i < 10; i++) {
        ledger.charge(STEP);
      }
    }
    byte[] bytes = Files.readAllBytes(file);
    for (int position = 0; position < bytes.length; position++) {
      byte[] damaged = bytes.clone();
      damaged[position] ^= 1;
      Files.write(file, damaged);
      assertThatThrownBy(() -> open(file)).isInstanceOf(IllegalStateException.class);
    }
    Files.write(file, bytes);
    open(file).close();
  }

  @Test
  void open_droppedOrRepeatedRecord_isRefused() throws IOException {
    Path file = directory.resolve("ledger");
    try (FileLedger ledger = open(file)) {
      for (int i = 0; i < 4; i++) {
        ledger.charge(STEP);
      }
    }
    List<String> lines = Files.readAllLines(file);
    for (int i = 1; i < lines.size() - 1; i++) {
      List<String> dropped = new ArrayList<>(lines);
      dropped.remove(i);
      List<String> repeated = new ArrayList<>(lines);
      repeated.add(i, lines.get(i));
      for (List<String> changed : List.of(dropped, repeated)) {
        Files.write(file, changed);
        Files.deleteIfExists(directory.resolve("ledger.head"));
        assertThatThrownBy(() -> open(file))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("unbroken chain");
      }
    }
  }

  @Test
  void open_twice_isRefused() {
    Path file = directory.resolve("ledger");
    try (FileLedger ledger = open(file)) {
      assertThatThrownBy(() -> open(file))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("open only once");
      ledger.charge(STEP);
    }
    open(file).close();
  }

  @Test
  void open_otherPlanBudgetOrRelation_isRefused() {
    Path file = directory.resolve("ledger");
    open(file).close();
    assertThatThrownBy(() -> FileLedger.open(file, new RdpAccountant(), BUDGET, "other"))
        .hasMessageContainingAll(
            "plan, relation and budget", "another sample rate", file.toString(), "another file")
        .hasMessageNotContaining("sha256");
    assertThatThrownBy(
            () ->
                FileLedger.open(
                    file, new RdpAccountant(), new PrivacyBudget(4, 1e-6), "sha256:abc"))
        .hasMessageContainingAll("plan, relation and budget", "got epsilon 4.0 instead of 3.0 for");
    assertThatThrownBy(
            () ->
                FileLedger.open(
                    file,
                    new RdpAccountant(NeighboringRelation.REPLACE_SPECIAL),
                    BUDGET,
                    "sha256:abc"))
        .hasMessageContainingAll("plan, relation and budget", "got relation REPLACE_SPECIAL");
    assertThatThrownBy(() -> FileLedger.open(file, new RdpAccountant(), BUDGET, "a b"))
        .isInstanceOf(IllegalArgumentException.class);
    open(file).close();
  }

  @Test
  void charge_closed_throws() {
    FileLedger ledger = open(directory.resolve("ledger"));
    ledger.close();
    ledger.close();
    assertThatThrownBy(() -> ledger.charge(STEP)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void charges_overSeveralRuns_countsChargesAlone() {
    Path file = directory.resolve("ledger");
    for (int run = 0; run < 3; run++) {
      try (FileLedger ledger = open(file)) {
        assertThat(ledger.charges()).isEqualTo(3L * run);
        ledger.charge(STEP);
        ledger.mark("saved-" + run);
        ledger.charge(QUERY);
        ledger.charge(STEP);
        assertThatThrownBy(() -> ledger.charge(new GaussianEvent(0.1)))
            .isInstanceOf(PrivacyBudgetExceededException.class);
        assertThat(ledger.charges()).isEqualTo(3L * run + 3);
      }
    }
  }

  @Test
  void marksAfter_positionOfAnyRun_givesLaterMarksOldestFirst() {
    Path file = directory.resolve("ledger");
    LedgerPosition begin;
    LedgerPosition middle;
    try (FileLedger ledger = open(file)) {
      begin = ledger.position();
      ledger.charge(STEP);
      ledger.mark("a");
      middle = ledger.position();
      ledger.charge(STEP);
      ledger.mark("b");
      assertThat(ledger.marksAfter(begin)).containsExactly("a", "b");
    }
    try (FileLedger ledger = open(file)) {
      assertThat(ledger.marksAfter(begin)).containsExactly("a", "b");
      assertThat(ledger.marksAfter(middle)).containsExactly("b");
      assertThat(ledger.marksAfter(ledger.position())).isEmpty();
      assertThatThrownBy(() -> ledger.mark("two words"))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void marksAfter_positionOfANewerOrAnotherLedger_isRefused() throws IOException {
    Path file = directory.resolve("ledger");
    Path other = directory.resolve("other");
    byte[] older;
    byte[] olderHead;
    LedgerPosition newest;
    try (FileLedger ledger = open(file)) {
      ledger.charge(STEP);
      older = Files.readAllBytes(file);
      olderHead = Files.readAllBytes(directory.resolve("ledger.head"));
      ledger.charge(STEP);
      newest = ledger.position();
    }
    // Both files of the ledger are put back, so that the head file does not tell.
    Files.write(file, older);
    Files.write(directory.resolve("ledger.head"), olderHead);
    try (FileLedger ledger = open(file);
        FileLedger stranger = open(other)) {
      for (int i = 0; i < 5; i++) {
        // The old ledger grows past the position in another way; another one has other hashes.
        assertThatThrownBy(() -> ledger.marksAfter(newest))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("older copy");
        assertThatThrownBy(() -> stranger.marksAfter(newest))
            .isInstanceOf(IllegalStateException.class);
        ledger.charge(QUERY);
        stranger.charge(QUERY);
      }
    }
  }

  @Test
  void killedProcess_everyAcknowledgedChargeIsRemembered() throws Exception {
    Path file = directory.resolve("ledger");
    Path acknowledged = directory.resolve("acknowledged");
    for (int round = 0; round < 3; round++) {
      Process process =
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                  "-cp",
                  System.getProperty("java.class.path"),
                  Charger.class.getName(),
                  file.toString(),
                  acknowledged.toString())
              .redirectErrorStream(true)
              .start();
      long size = Files.exists(acknowledged) ? Files.size(acknowledged) : 0;
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
      while ((!Files.exists(acknowledged) || Files.size(acknowledged) < size + 20)
          && System.nanoTime() < deadline) {
        Thread.sleep(2);
      }
      process.destroyForcibly().waitFor();
    }
    int charges = (int) Files.size(acknowledged);
    assertThat(charges).isGreaterThanOrEqualTo(60);
    try (FileLedger ledger = open(file)) {
      assertThat(upper(ledger.spent())).isGreaterThanOrEqualTo(upper(of(charges, 0)));
      assertThat(upper(ledger.spent())).isLessThanOrEqualTo(upper(of(charges + 3, 0)));
    }
  }

  @Test
  void eventText_everyEvent_comesBack() {
    List<DpEvent> events =
        List.of(
            new NoOpEvent(),
            new GaussianEvent(0.1 + 0.2),
            new QuantileQueryEvent(3.3),
            new DiscreteGaussianEvent(0.1 + 0.7),
            new LaplaceEvent(0.1),
            new SampledWithoutReplacementEvent(3, 10, new GaussianEvent(1.1)),
            new PoissonSampledEvent(1.0 / 3, new GaussianEvent(Double.MIN_VALUE)),
            new SelfComposedEvent(new GaussianEvent(1e300), Long.MAX_VALUE),
            new ComposedEvent(List.of()),
            new ComposedEvent(List.of(new NoOpEvent(), STEP, new ComposedEvent(List.of(QUERY)))));
    for (DpEvent event : events) {
      assertThat(EventText.read(EventText.write(event))).isEqualTo(event);
    }
    for (String bad : new String[] {"", "(none", "(none) ", "(gaussian)", "(what 1)", "(none)x"}) {
      assertThatThrownBy(() -> EventText.read(bad)).isInstanceOf(IllegalArgumentException.class);
    }
  }

  /** Charges until it is killed, and appends one byte to a file after each charge has returned. */
  static final class Charger {

    private Charger() {}

    public static void main(String[] arguments) throws IOException {
      try (FileLedger ledger = open(Path.of(arguments[0]));
          var out =
              Files.newOutputStream(
                  Path.of(arguments[1]),
                  java.nio.file.StandardOpenOption.CREATE,
                  java.nio.file.StandardOpenOption.APPEND)) {
        while (true) {
          ledger.charge(STEP);
          out.write("x".getBytes(StandardCharsets.US_ASCII));
        }
      }
    }
  }
}
