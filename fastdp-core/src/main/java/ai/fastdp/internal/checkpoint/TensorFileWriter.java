/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.checkpoint;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.Shape;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Map;

/**
 * Writes a {@link TensorFile}: beside the place first, forced to disk, then moved there in one
 * operation, and the move forced to disk as well. Whoever opens the file, after a crash at any
 * moment, finds the old one or the new one.
 */
final class TensorFileWriter {
  // 64 MiB of float32 at a time.
  private static final long CHUNK = 1 << 24;

  private final FileChannel channel;
  private final MessageDigest digest = TensorFile.newDigest();

  private TensorFileWriter(FileChannel channel) {
    this.channel = channel;
  }

  static String write(Path file, Map<String, String> metadata, Map<String, NDArray> tensors) {
    Path unfinished = file.resolveSibling(file.getFileName() + ".new");
    try {
      String checksum;
      try (FileChannel channel =
          FileChannel.open(
              unfinished,
              StandardOpenOption.CREATE,
              StandardOpenOption.TRUNCATE_EXISTING,
              StandardOpenOption.WRITE)) {
        checksum = new TensorFileWriter(channel).writeAll(metadata, tensors);
        channel.force(true);
      }
      Files.move(
          unfinished, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      forceDirectory(file);
      return checksum;
    } catch (IOException e) {
      throw new UncheckedIOException(
          "file must be writable, got a failure for " + file + "; the old file is as it was", e);
    }
  }

  /** Makes the move durable; Windows does so itself and opens no directory. */
  private static void forceDirectory(Path file) throws IOException {
    Path directory = file.toAbsolutePath().getParent();
    if (directory != null && File.separatorChar == '/') {
      try (FileChannel opened = FileChannel.open(directory, StandardOpenOption.READ)) {
        opened.force(true);
      }
    }
  }

  private String writeAll(Map<String, String> metadata, Map<String, NDArray> tensors)
      throws IOException {
    byte[] header = header(metadata, tensors);
    ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    write(length.putLong(header.length).flip());
    write(ByteBuffer.wrap(header));
    for (NDArray tensor : tensors.values()) {
      write(tensor);
    }
    byte[] checksum = digest.digest();
    ByteBuffer last = ByteBuffer.wrap(checksum);
    while (last.hasRemaining()) {
      channel.write(last);
    }
    return HexFormat.of().formatHex(checksum);
  }

  private static byte[] header(Map<String, String> metadata, Map<String, NDArray> tensors) {
    JsonObject header = new JsonObject();
    JsonObject texts = new JsonObject();
    metadata.forEach(texts::addProperty);
    header.add(TensorFile.METADATA, texts);
    long offset = 0;
    for (Map.Entry<String, NDArray> tensor : tensors.entrySet()) {
      NDArray array = tensor.getValue();
      long bytes = array.getDataType().getNumOfBytes() * array.size();
      header.add(
          tensor.getKey(),
          entry(array.getDataType().asSafetensors(), array.getShape(), offset, offset + bytes));
      offset += bytes;
    }
    header.add(
        TensorFile.CHECKSUM,
        entry(
            "U8",
            new Shape(TensorFile.CHECKSUM_BYTES),
            offset,
            offset + TensorFile.CHECKSUM_BYTES));
    // The format wants the arrays to begin at a multiple of 8.
    StringBuilder text = new StringBuilder(header.toString());
    while (text.toString().getBytes(StandardCharsets.UTF_8).length % Long.BYTES != 0) {
      text.append(' ');
    }
    return text.toString().getBytes(StandardCharsets.UTF_8);
  }

  private static JsonObject entry(String type, Shape shape, long begin, long end) {
    JsonArray dimensions = new JsonArray();
    for (long dimension : shape.getShape()) {
      dimensions.add(dimension);
    }
    JsonArray offsets = new JsonArray();
    offsets.add(begin);
    offsets.add(end);
    JsonObject entry = new JsonObject();
    entry.addProperty("dtype", type);
    entry.add("shape", dimensions);
    entry.add("data_offsets", offsets);
    return entry;
  }

  private void write(NDArray tensor) throws IOException {
    try (NDArray flat = tensor.reshape(-1)) {
      for (long begin = 0; begin < flat.size(); begin += CHUNK) {
        long end = Math.min(flat.size(), begin + CHUNK);
        try (NDArray part = flat.get(new NDIndex().addSliceDim(begin, end))) {
          write(part.toByteBuffer());
        }
      }
    }
  }

  private void write(ByteBuffer bytes) throws IOException {
    digest.update(bytes.duplicate());
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }
}
