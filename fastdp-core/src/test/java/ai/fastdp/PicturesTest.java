/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The pictures in docs are those that docs/pictures/Draw.java draws. */
final class PicturesTest {
  private static final Path DOCS = Path.of("..", "docs");
  private static final String ACCOUNTING = "fastdp-accounting/src/main/java/ai/fastdp/accounting";
  private static final int PICTURES = 5;

  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  Path directory;

  @Test
  void pictures_areDrawnByTheProgram() throws Exception {
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    String program = DOCS.resolve("pictures").resolve("Draw.java").toString();
    Process process = new ProcessBuilder(java, program, directory.toString()).inheritIO().start();
    assertThat(process.waitFor()).isZero();
    List<Path> drawn = drawn();
    assertThat(drawn).hasSize(PICTURES);
    for (Path picture : drawn) {
      assertThat(DOCS.resolve(picture.getFileName())).hasSameTextualContentAs(picture);
    }
  }

  @Test
  void packages_areAllInTheirPicture() throws IOException {
    String picture = Files.readString(DOCS.resolve("packages.svg"));
    for (String root : List.of("fastdp-core/src/main/java/ai/fastdp", ACCOUNTING)) {
      for (String name : packages(Path.of("..").resolve(root))) {
        assertThat(picture).contains(">" + name + "<");
      }
    }
  }

  /** The names of all packages below one, relative to it. */
  private static List<String> packages(Path root) throws IOException {
    try (Stream<Path> files = Files.walk(root)) {
      return files
          .filter(file -> file.endsWith("package-info.java"))
          .map(file -> root.relativize(file.getParent()).toString().replace(File.separator, "."))
          .filter(name -> !name.isEmpty())
          .toList();
    }
  }

  private List<Path> drawn() throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.sorted().toList();
    }
  }
}
