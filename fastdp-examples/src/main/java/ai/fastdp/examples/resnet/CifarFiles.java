/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.resnet;

import ai.fastdp.examples.training.InputException;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.zip.GZIPInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;

/**
 * CIFAR-10 in its binary form: {@code data_batch_*.bin} and {@code test_batch.bin}, in a directory
 * or a tar.gz. A record is one byte of label and 3,072 bytes of pixels.
 *
 * @param training the images of all training batches, in the order of the files' names
 * @param test the images of the test batch
 * @see <a href="https://www.cs.toronto.edu/~kriz/cifar.html">CIFAR-10, binary version</a>
 */
record CifarFiles(LabelledImages training, LabelledImages test) {

  static final int CLASSES = 10;

  private static final int SIZE = 32;
  private static final int IMAGE_BYTES = LabelledImages.CHANNELS * SIZE * SIZE;
  private static final int RECORD_BYTES = 1 + IMAGE_BYTES;
  private static final Pattern TRAINING = Pattern.compile("data_batch_\\d+\\.bin");
  private static final String TEST = "test_batch.bin";

  /**
   * Reads the files.
   *
   * @param path a directory or a tar.gz
   * @throws InputException if a file is missing, cannot be read, or is not of this form
   */
  static CifarFiles read(Path path) {
    Map<String, byte[]> files = new TreeMap<>();
    try {
      if (Files.isDirectory(path)) {
        readDirectory(path, files);
      } else {
        readArchive(path, files);
      }
    } catch (IOException e) {
      throw new InputException(
          "cannot read --data " + path + ": it must be a directory or a tar.gz with CIFAR-10", e);
    }
    byte[] test = files.remove(TEST);
    if (test == null || files.isEmpty()) {
      throw new InputException(
          "--data must have data_batch_1.bin and " + TEST + " (CIFAR-10 binary), got " + path);
    }
    return new CifarFiles(images(path, files), images(path, Map.of(TEST, test)));
  }

  private static void readDirectory(Path path, Map<String, byte[]> files) throws IOException {
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(path, "*.bin")) {
      for (Path entry : entries) {
        String name = entry.getFileName().toString();
        if (isBatch(name)) {
          files.put(name, Files.readAllBytes(entry));
        }
      }
    }
  }

  private static void readArchive(Path path, Map<String, byte[]> files) throws IOException {
    try (InputStream file = new BufferedInputStream(Files.newInputStream(path));
        TarArchiveInputStream tar = new TarArchiveInputStream(new GZIPInputStream(file))) {
      TarArchiveEntry entry = tar.getNextEntry();
      while (entry != null) {
        String name = entry.getName().substring(entry.getName().lastIndexOf('/') + 1);
        if (!entry.isDirectory() && isBatch(name)) {
          files.put(name, tar.readAllBytes());
        }
        entry = tar.getNextEntry();
      }
    }
  }

  private static boolean isBatch(String name) {
    return name.equals(TEST) || TRAINING.matcher(name).matches();
  }

  private static LabelledImages images(Path path, Map<String, byte[]> files) {
    ByteArrayOutputStream pixels = new ByteArrayOutputStream();
    ByteArrayOutputStream labels = new ByteArrayOutputStream();
    files.forEach(
        (name, bytes) -> {
          if (bytes.length == 0 || bytes.length % RECORD_BYTES != 0) {
            throw new InputException(
                name
                    + " of --data "
                    + path
                    + " must have records of "
                    + RECORD_BYTES
                    + " bytes, got "
                    + bytes.length
                    + " bytes");
          }
          for (int at = 0; at < bytes.length; at += RECORD_BYTES) {
            if (bytes[at] < 0 || bytes[at] >= CLASSES) {
              throw new InputException(
                  "labels of " + name + " must be 0 to 9; record " + at / RECORD_BYTES + " is not");
            }
            labels.write(bytes[at]);
            pixels.write(bytes, at + 1, IMAGE_BYTES);
          }
        });
    return new LabelledImages(SIZE, pixels.toByteArray(), labels.toByteArray());
  }
}
