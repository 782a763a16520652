/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.resnet;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;

/** Small files in the form of CIFAR-10, the bright half of an image telling its class. */
public final class CifarFixture {

  private static final int SIZE = 32;

  private CifarFixture() {}

  /** Writes a training and a test batch into a directory. */
  public static void write(Path directory, int training, int test) throws IOException {
    Files.createDirectories(directory);
    Files.write(directory.resolve("data_batch_1.bin"), records(1, training));
    Files.write(directory.resolve("test_batch.bin"), records(2, test));
  }

  /** Packs files of a directory as they are published. */
  static void pack(Path archive, Path directory, String... names) throws IOException {
    try (OutputStream file = Files.newOutputStream(archive);
        TarArchiveOutputStream tar = new TarArchiveOutputStream(new GZIPOutputStream(file))) {
      for (String name : names) {
        byte[] bytes = Files.readAllBytes(directory.resolve(name));
        TarArchiveEntry entry = new TarArchiveEntry("cifar-10-batches-bin/" + name);
        entry.setSize(bytes.length);
        tar.putArchiveEntry(entry);
        tar.write(bytes);
        tar.closeArchiveEntry();
      }
    }
  }

  static byte[] records(long seed, int count) {
    Random random = new Random(seed);
    byte[] bytes = new byte[count * (1 + 3 * SIZE * SIZE)];
    int at = 0;
    for (int i = 0; i < count; i++) {
      int label = i % 10;
      bytes[at++] = (byte) label;
      for (int j = 0; j < 3 * SIZE * SIZE; j++) {
        boolean upper = j % (SIZE * SIZE) < SIZE * SIZE / 2;
        bytes[at++] = (byte) (random.nextInt(80) + (upper == label < 5 ? 160 : 0));
      }
    }
    return bytes;
  }
}
