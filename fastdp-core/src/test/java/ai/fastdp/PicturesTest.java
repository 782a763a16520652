/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;

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

  private List<Path> drawn() throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.sorted().toList();
    }
  }
}
