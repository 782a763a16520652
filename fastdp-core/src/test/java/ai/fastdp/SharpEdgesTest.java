/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Holds docs/sharp-edges.md to the tests that it names. */
final class SharpEdgesTest {
  private static final Pattern NAME = Pattern.compile("`([A-Z]\\w*Test)(?:\\.(\\w+))?`");
  private static final int PITFALLS = 12;

  @Test
  void page_everyTestNamed_exists() throws IOException {
    Map<String, String> sources = sources();
    List<String> rows = rows();
    assertThat(rows).hasSizeGreaterThan(PITFALLS);
    for (String row : rows) {
      String[] cells = row.split("\\|", -1);
      assertThat(cells).as(row).hasSize(6);
      assertThat(cells[2].strip())
          .as(row)
          .matches("(Critical|Theoretical|Negligible|Utility)(, .*| where .*)?");
      List<MatchResult> named = NAME.matcher(cells[4]).results().toList();
      assertThat(named.isEmpty()).as(row).isEqualTo(cells[4].strip().equals("documented"));
      for (MatchResult test : named) {
        String source = sources.get(test.group(1));
        assertThat(source).as(test.group()).isNotNull();
        if (test.group(2) != null) {
          assertThat(source).as(test.group()).contains("void " + test.group(2) + "(");
        }
      }
    }
  }

  private static List<String> rows() throws IOException {
    try (Stream<String> lines = Files.lines(Path.of("..", "docs", "sharp-edges.md"))) {
      return lines
          .filter(line -> line.startsWith("| "))
          .filter(line -> !line.startsWith("| pitfall"))
          .toList();
    }
  }

  private static Map<String, String> sources() throws IOException {
    Map<String, String> sources = new HashMap<>();
    for (String module : List.of("fastdp-accounting", "fastdp-core", "fastdp-optim")) {
      try (Stream<Path> files = Files.walk(Path.of("..", module, "src", "test"))) {
        for (Path file : files.filter(f -> f.toString().endsWith("Test.java")).toList()) {
          sources.put(file.getFileName().toString().replace(".java", ""), Files.readString(file));
        }
      }
    }
    return sources;
  }
}
