/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ai.fastdp.examples.SharedData;
import ai.fastdp.examples.training.InputException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class E2eFileTest {

  private static final String HEADER = "mr,ref\r\n";

  @TempDir private Path directory = Path.of("");

  @Test
  void read_rows_becomePromptsAndCompletions() throws IOException {
    Path file =
        write(
            HEADER
                + "\"name[Blue Spice], eatType[coffee shop], near[Crowne Plaza, Hotel]\","
                + "\"It's a \"\"nice\"\" place,\nnear £20.\"\r\n"
                + "name[X],Y\r\n");
    assertThat(E2eFile.read(file, "unused"))
        .containsExactly(
            new TextExample(
                "name : Blue Spice | eatType : coffee shop | near : Crowne Plaza, Hotel ||",
                " It's a \"nice\" place,\nnear £20."),
            new TextExample("name : X ||", " Y"));
  }

  @Test
  void read_columnsInAnotherOrder_areFoundByName() throws IOException {
    Path file = write("id,ref,mr\n7,Y,name[X]\n");
    assertThat(E2eFile.read(file, "unused")).containsExactly(new TextExample("name : X ||", " Y"));
  }

  @ParameterizedTest(name = "[{index}] {1}")
  @CsvSource(
      delimiter = '#',
      quoteCharacter = '~',
      value = {
        "name[SECRET],text#row 2 must have one value for each column#,extra",
        "name[SECRET]#row 2 must have one value for each column#~~",
        "name SECRET,text#row 2 must have slots of the form name[value]#~~",
        "name[SECRET,text#row 2 must have slots of the form name[value]#~~",
        "name[SECRET]x,text#row 2 must have slots of the form name[value]#~~",
        "\"name[SECRET],\",text#row 2 must have slots of the form name[value]#~~",
        "[SECRET],text#row 2 must have slots of the form name[value]#~~",
        ",SECRET#row 2 must have slots of the form name[value]#~~",
        "name[SECRET],#row 2 must have a text in column ref#~~",
        "\"name[SECRET],text#is not a CSV file: after row 1#~~",
      })
  void read_malformedRow_namesTheRowAndNotWhatItSays(String row, String message, String rest)
      throws IOException {
    Path file = write(HEADER + "name[A],B\r\n" + row + rest + "\r\nname[C],D\r\n");
    assertThatThrownBy(() -> E2eFile.read(file, "unused"))
        .isInstanceOf(InputException.class)
        .hasMessageContaining(message)
        .hasMessageNotContaining("SECRET")
        .hasMessageNotContaining("\n");
  }

  @ParameterizedTest(name = "[{index}] {1}")
  @CsvSource({
    "'a,b\nc,d', must have the columns mr and ref",
    "'mr,ref\n', has no rows",
    "'', must"
  })
  void read_notATable_isRefused(String content, String message) throws IOException {
    Path file = write(content);
    assertThatThrownBy(() -> E2eFile.read(file, "unused"))
        .isInstanceOf(InputException.class)
        .hasMessageContaining(message);
  }

  @Test
  void read_notUtf8_isRefused() throws IOException {
    Path file = directory.resolve("latin.csv");
    Files.write(file, (HEADER + "name[A],caf\u00e9\n").getBytes(StandardCharsets.ISO_8859_1));
    assertThatThrownBy(() -> E2eFile.read(file, "unused")).isInstanceOf(InputException.class);
  }

  @Test
  void read_noFile_saysSo() {
    assertThatThrownBy(() -> E2eFile.read(directory.resolve("none.csv"), "unused"))
        .isInstanceOf(InputException.class)
        .hasMessageContaining("cannot read");
  }

  @Test
  void read_zip_takesTheNamedOrTheOnlyTable() throws IOException {
    Path several = zip("several.zip", "d/trainset.csv", "d/devset.csv", "d/README.md");
    assertThat(E2eFile.read(several, "devset.csv").get(0).completion()).isEqualTo(" d/devset.csv");
    assertThatThrownBy(() -> E2eFile.read(several, "testset.csv"))
        .isInstanceOf(InputException.class)
        .hasMessageContaining("must hold testset.csv");
    Path single = zip("single.zip", "d/other.csv");
    assertThat(E2eFile.read(single, "trainset.csv").get(0).completion()).isEqualTo(" d/other.csv");
  }

  @Test
  void read_fileThatIsNoZip_isRefused() throws IOException {
    Path file = Files.writeString(directory.resolve("bad.zip"), "no zip");
    assertThatThrownBy(() -> E2eFile.read(file, "trainset.csv"))
        .isInstanceOf(InputException.class)
        .hasMessageContaining("cannot read");
  }

  @Test
  void read_realFile_hasThePublishedNumberOfRows() {
    Path file = SharedData.path("e2e").resolve("e2e-dataset.zip");
    assumeTrue(Files.exists(file), "shared data is not there");
    assertThat(E2eFile.read(file, "trainset.csv")).hasSize(42061);
    assertThat(E2eFile.read(file, "devset.csv")).hasSize(4672);
  }

  private Path write(String content) throws IOException {
    return Files.writeString(directory.resolve("data.csv"), content);
  }

  private Path zip(String name, String... entries) throws IOException {
    Path path = directory.resolve(name);
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(path))) {
      for (String entry : entries) {
        zip.putNextEntry(new ZipEntry(entry));
        zip.write((HEADER + "name[A]," + entry + "\n").getBytes(StandardCharsets.UTF_8));
        zip.closeEntry();
      }
    }
    return path;
  }
}
