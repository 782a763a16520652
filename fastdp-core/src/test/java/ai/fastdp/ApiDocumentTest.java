/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** docs/api.md lists the public types, package by package. */
final class ApiDocumentTest {
  private static final Pattern TYPE =
      Pattern.compile(
          "^public (?:(?:abstract|final|sealed|non-sealed) )*(?:class|interface|record|enum) (\\w+)",
          Pattern.MULTILINE);
  private static final Pattern ROW = Pattern.compile("\\| `(\\w+)` \\| (\\S.*) \\|");
  private static final List<String> MODULES =
      List.of("fastdp-core", "fastdp-optim", "fastdp-accounting");

  @Test
  void page_listsThePublicTypes() throws IOException {
    assertThat(onThePage()).isEqualTo(inTheSources());
  }

  private static SortedSet<String> onThePage() throws IOException {
    SortedSet<String> types = new TreeSet<>();
    String owner = "";
    for (String line : Files.readAllLines(Path.of("..", "docs", "api.md"))) {
      if (line.startsWith("### ")) {
        owner = line.substring("### ".length());
      }
      Matcher row = ROW.matcher(line);
      if (row.matches()) {
        types.add(owner + "." + row.group(1));
      }
    }
    return types;
  }

  private static SortedSet<String> inTheSources() throws IOException {
    SortedSet<String> types = new TreeSet<>();
    for (String module : MODULES) {
      Path root = Path.of("..", module, "src", "main", "java");
      try (Stream<Path> files = Files.walk(root)) {
        for (Path file : files.filter(f -> f.toString().endsWith(".java")).toList()) {
          String owner =
              root.relativize(file.getParent())
                  .toString()
                  .replace(file.getFileSystem().getSeparator(), ".");
          Matcher type = TYPE.matcher(Files.readString(file));
          if (!(owner + ".").contains(".internal.") && type.find()) {
            types.add(owner + "." + type.group(1));
          }
        }
      }
    }
    return types;
  }
}
