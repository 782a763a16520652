/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Holds docs/adr to its template: numbers without holes, the same parts in all, a row in the index.
 */
final class DecisionsTest {
  private static final Path DECISIONS = Path.of("..", "docs", "adr");

  @Test
  void decisions_followTheTemplate_andStandInTheIndex() throws IOException {
    String index = Files.readString(DECISIONS.resolve("README.md"));
    List<Path> files = decisions();
    for (int i = 0; i < files.size(); i++) {
      String name = files.get(i).getFileName().toString();
      String text = Files.readString(files.get(i));
      String title = text.lines().findFirst().orElse("");
      assertThat(name).startsWith("%04d-".formatted(i + 1));
      assertThat(title).startsWith("# " + (i + 1) + ". ");
      assertThat(text).as(name).contains("\nStatus: ", "\n## Context\n", "\n## Decision\n");
      assertThat(index).contains("[" + title.replaceFirst("# \\d+\\. ", "") + "](" + name + ")");
    }
  }

  private static List<Path> decisions() throws IOException {
    try (Stream<Path> files = Files.list(DECISIONS)) {
      return files.filter(file -> file.getFileName().toString().matches("\\d.*")).sorted().toList();
    }
  }
}
