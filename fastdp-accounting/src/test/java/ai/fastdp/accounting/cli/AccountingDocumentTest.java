/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs the commands of docs/accounting.md, and compares what they print and draw. */
class AccountingDocumentTest {
  private static final Path DOCS = Path.of("..", "docs");
  private static final String JAR =
      "java -jar fastdp-accounting/target/fastdp-accounting-cli\\.jar ";
  private static final Pattern CONSOLE =
      Pattern.compile("^\\$ " + JAR + "(.*)\\n((?:[^$`\\n].*\\n)*)", Pattern.MULTILINE);
  private static final Pattern PLOT =
      Pattern.compile("^ {4}" + JAR + "(.* --plot )docs/(\\S+)$", Pattern.MULTILINE);
  private static final Pattern DECIMALS = Pattern.compile("(\\.\\d{6})\\d+");

  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  Path directory;

  @Test
  void commands_printWhatThePageShows() throws IOException {
    List<MatchResult> commands = CONSOLE.matcher(page()).results().toList();
    assertThat(commands).hasSize(3);
    for (MatchResult command : commands) {
      List<String> printed =
          run(command.group(1)).lines().map(AccountingDocumentTest::cut).toList();
      assertThat(printed)
          .as(command.group(1))
          .containsAll(command.group(2).lines().map(AccountingDocumentTest::cut).toList());
    }
  }

  @Test
  void plots_areWhatTheCommandsDraw() throws IOException {
    List<MatchResult> plots = PLOT.matcher(page()).results().toList();
    assertThat(plots).hasSize(2);
    for (MatchResult plot : plots) {
      Path drawn = directory.resolve(plot.group(2));
      run(plot.group(1) + drawn);
      assertThat(drawn).hasSameTextualContentAs(DOCS.resolve(plot.group(2)));
    }
  }

  private static String page() throws IOException {
    return Files.readString(DOCS.resolve("accounting.md"));
  }

  /** Six decimals, not rounded, are what every platform gives. */
  private static String cut(String line) {
    return DECIMALS.matcher(line).replaceAll(decimals -> decimals.group(1));
  }

  private static String run(String command) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    int code =
        Main.run(command.split(" ", -1), new PrintWriter(out, true), new PrintWriter(err, true));
    assertThat(code).as(err.toString()).isZero();
    return out.toString();
  }
}
