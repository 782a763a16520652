/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.resnet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.fastdp.examples.training.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class CifarFilesTest {

  private Path directory = Path.of("");

  @BeforeEach
  void write(@TempDir Path temporary) throws IOException {
    directory = temporary.resolve("cifar");
    CifarFixture.write(directory, 12, 7);
  }

  @Test
  void read_directory_hasTheBytesOfTheFiles() throws IOException {
    Files.write(directory.resolve("data_batch_2.bin"), CifarFixture.records(9, 3));
    Files.writeString(directory.resolve("batches.meta.txt"), "airplane");
    check(CifarFiles.read(directory), 15);
  }

  @Test
  void read_archive_hasTheBytesOfTheFiles(@TempDir Path temporary) throws IOException {
    Files.writeString(directory.resolve("batches.meta.txt"), "airplane");
    Path archive = temporary.resolve("cifar.tar.gz");
    CifarFixture.pack(archive, directory, "test_batch.bin", "batches.meta.txt", "data_batch_1.bin");
    check(CifarFiles.read(archive), 12);
  }

  private void check(CifarFiles files, int training) throws IOException {
    assertThat(files.training().count()).isEqualTo(training);
    assertThat(files.test().count()).isEqualTo(7);
    byte[] bytes = Files.readAllBytes(directory.resolve("test_batch.bin"));
    int image = 4;
    int from = image * 3073;
    assertThat(files.test().label(image)).isEqualTo(bytes[from]);
    // Planes of red, green and blue, row by row.
    assertThat(files.test().pixel(image, 2, 30, 5))
        .isEqualTo(bytes[from + 1 + 2 * 1024 + 30 * 32 + 5]);
    assertThat(files.test().pixel(image, 0, 0, 31)).isEqualTo(bytes[from + 1 + 31]);
  }

  @Test
  void read_cutFile_isRefusedByName() throws IOException {
    Path file = directory.resolve("data_batch_1.bin");
    Files.write(file, Arrays.copyOf(Files.readAllBytes(file), 10_000));
    assertRefused(directory, "data_batch_1.bin", "records of 3073 bytes", "got 10000");
  }

  @Test
  void read_emptyFile_isRefused() throws IOException {
    Files.write(directory.resolve("test_batch.bin"), new byte[0]);
    assertRefused(directory, "test_batch.bin", "got 0 bytes");
  }

  @Test
  void read_labelOutOfRange_isRefusedByRecord() throws IOException {
    byte[] bytes = CifarFixture.records(1, 5);
    for (byte label : new byte[] {10, -1}) {
      bytes[3 * 3073] = label;
      Files.write(directory.resolve("data_batch_1.bin"), bytes);
      assertRefused(directory, "labels of data_batch_1.bin must be 0 to 9; record 3");
    }
  }

  @Test
  void read_missingFile_isRefused() throws IOException {
    Files.delete(directory.resolve("test_batch.bin"));
    assertRefused(directory, "test_batch.bin");
    assertRefused(directory.resolve("none"), "cannot read --data");
  }

  @Test
  void read_damagedArchive_isRefused(@TempDir Path temporary) throws IOException {
    Path archive = temporary.resolve("cifar.tar.gz");
    CifarFixture.pack(archive, directory, "test_batch.bin", "data_batch_1.bin");
    Files.write(archive, Arrays.copyOf(Files.readAllBytes(archive), 5_000));
    assertRefused(archive, "cannot read --data");
    Files.writeString(archive, "not a gzip");
    assertRefused(archive, "cannot read --data");
  }

  private static void assertRefused(Path path, String... parts) {
    assertThatThrownBy(() -> CifarFiles.read(path))
        .isInstanceOf(InputException.class)
        .hasMessageContainingAll(parts);
  }
}
