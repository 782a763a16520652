/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Ledger, checkpoint and report are different files, by whatever names. */
final class RunFilesTest {
  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  private Path directory;

  private static RunFiles files(Path ledger, Path checkpoint, Path report) {
    return new RunFiles(ledger, checkpoint, 1, TrainingReport.to(report));
  }

  private void assertRefused(String message, Path ledger, Path checkpoint, Path report) {
    assertThatThrownBy(() -> files(ledger, checkpoint, report))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(message + " must be a file of its own");
  }

  @ParameterizedTest
  @CsvSource({
    "l, l, r, checkpoint",
    "l, l.head, r, checkpoint",
    "l, l.head.new, r, checkpoint",
    "l, l.lock, r, checkpoint",
    "c.new, c, r, checkpoint",
    "l, c, l, report",
    "l, c, l.head, report",
    "l, c, l.head.new, report",
    "l, c, l.lock, report",
    "l, c, c, report",
    "l, c, c.new, report"
  })
  void files_oneOfTwoRoles_isRefused(
      String ledger, String checkpoint, String report, String refused) throws Exception {
    assertRefused(
        refused,
        directory.resolve(ledger),
        directory.resolve(checkpoint),
        directory.resolve(report));
    // The same once the files exist.
    for (String name : new String[] {ledger, checkpoint, report}) {
      if (Files.notExists(directory.resolve(name))) {
        Files.createFile(directory.resolve(name));
      }
    }
    assertRefused(
        refused,
        directory.resolve(ledger),
        directory.resolve(checkpoint),
        directory.resolve(report));
  }

  @Test
  void files_otherNames_areAllowed() {
    assertThatCode(
            () ->
                files(
                    directory.resolve("l"),
                    directory.resolve("l.safetensors"),
                    directory.resolve("l.jsonl")))
        .doesNotThrowAnyException();
    assertThatCode(
            () ->
                files(directory.resolve("a/l"), directory.resolve("b/l"), directory.resolve("c/l")))
        .doesNotThrowAnyException();
  }

  @Test
  void files_otherWaysToNameOne_areRefused() throws Exception {
    Path ledger = directory.resolve("l");
    Path report = directory.resolve("r");
    assertRefused("checkpoint", ledger, directory.resolve("x/../l"), report);
    assertRefused("checkpoint", ledger, directory.resolve("./l"), report);
    Path relative = Path.of("").toAbsolutePath().relativize(ledger);
    assertThat(relative).isRelative();
    assertRefused("checkpoint", ledger, relative, report);
    Path elsewhere = Files.createSymbolicLink(directory.resolve("elsewhere"), directory);
    assertRefused("checkpoint", ledger, elsewhere.resolve("l"), report);
    assertRefused("report", ledger, directory.resolve("c"), elsewhere.resolve("l.head"));
    assertRefused("checkpoint", elsewhere.resolve("l"), ledger, report);
  }

  @Test
  void files_linksToWhatExistsOrDoesNot_areRefused() throws Exception {
    Path ledger = directory.resolve("l");
    Path checkpoint = directory.resolve("c");
    Path link = Files.createSymbolicLink(directory.resolve("link"), Path.of("l"));
    Path twice = Files.createSymbolicLink(directory.resolve("twice"), link);
    for (Path name : new Path[] {link, twice}) {
      assertRefused("report", ledger, checkpoint, name);
      assertRefused("checkpoint", ledger, name, directory.resolve("r"));
      assertRefused("report", name, checkpoint, ledger);
      assertRefused("report", name, checkpoint, directory.resolve("l.head"));
    }
    Files.createFile(ledger);
    assertRefused("report", ledger, checkpoint, twice);
    Path hard = Files.createLink(directory.resolve("hard"), ledger);
    assertRefused("report", ledger, checkpoint, hard);
  }

  @Test
  void files_circleOfLinks_isRefused() throws Exception {
    Path one = directory.resolve("one");
    Path other = directory.resolve("other");
    Files.createSymbolicLink(one, other);
    Files.createSymbolicLink(other, one);
    assertThatThrownBy(() -> files(one, directory.resolve("c"), directory.resolve("r")))
        .isInstanceOf(RuntimeException.class);
  }

  @Test
  void build_checkpointOnTheLedger_isRefusedAndTouchesNothing() {
    Path ledger = directory.resolve("l");
    PrivacyEngineBuilder builder =
        PrivacyEngine.builder(SmallRun.plan(2).build()).optLedger(ledger).optCheckpoint(ledger, 1);
    assertThatThrownBy(builder::build).hasMessageContaining("checkpoint must be a file of its own");
    assertThat(ledger).doesNotExist();
  }

  @Test
  void files_checkpointWithoutLedger_isRefused() {
    assertThatThrownBy(() -> new RunFiles(null, directory.resolve("c"), 1, null))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("must have its ledger in a file");
  }
}
