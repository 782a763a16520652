/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Holds docs/proofs to the code: each section names its classes and its tests, which exist. */
class ProofPagesTest {
  private static final Path PROOFS = Path.of("..", "docs", "proofs");

  /** The line below a heading. */
  private static final Pattern NAMES = Pattern.compile("^Class: (.*)\\. Test: (.*)$");

  private static final Pattern NAME = Pattern.compile("`(\\w+)`");
  private static final Set<String> WITHOUT_PROOF = Set.of("README.md");

  @Test
  void sections_nameClassesAndTestsThatExist() throws IOException {
    Set<String> classes = names("main");
    Set<String> tests = names("test");
    for (Path page : pages()) {
      List<String> lines = Files.readAllLines(page);
      assertThat(lines).as("%s", page).anyMatch(line -> line.startsWith("## "));
      for (int i = 0; i < lines.size(); i++) {
        if (lines.get(i).startsWith("## ")) {
          String section = page.getFileName() + ", " + lines.get(i);
          List<MatchResult> named = NAMES.matcher(lines.get(i + 2)).results().toList();
          assertThat(named).as("%s: Class: ... Test: ...", section).hasSize(1);
          assertThat(classes).as(section).containsAll(quoted(named.get(0).group(1)));
          // Beside tests a section may name the files of golden values.
          assertThat(tests).as(section).containsAll(quoted(named.get(0).group(2)));
        }
      }
    }
  }

  @Test
  void index_hasEveryPage() throws IOException {
    String index = Files.readString(PROOFS.resolve("README.md"));
    for (Path page : pages()) {
      assertThat(index).contains("(" + page.getFileName() + ")");
    }
  }

  private static List<String> quoted(String text) {
    List<String> names = NAME.matcher(text).results().map(name -> name.group(1)).toList();
    assertThat(names).as(text).isNotEmpty();
    return names;
  }

  private static List<Path> pages() throws IOException {
    try (Stream<Path> files = Files.list(PROOFS)) {
      return files
          .filter(file -> !WITHOUT_PROOF.contains(file.getFileName().toString()))
          .sorted()
          .toList();
    }
  }

  /** The simple names of all classes that have a file, wherever their package is. */
  private static Set<String> names(String kind) throws IOException {
    try (Stream<Path> files = Files.walk(Path.of("src", kind, "java"))) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.endsWith(".java"))
          .map(name -> name.replace(".java", ""))
          .collect(Collectors.toSet());
    }
  }
}
