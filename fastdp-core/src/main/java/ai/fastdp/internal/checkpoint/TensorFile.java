/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.checkpoint;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * Named arrays and texts in a file that is written whole or not at all, and read whole or not at
 * all.
 *
 * <p>The format is safetensors: the length of the header in 8 bytes, the header in JSON with type,
 * shape and place of every array, the arrays in little-endian order. The last 32 bytes, an array
 * named {@code sha256}, are the SHA-256 of all bytes before them. The header and plain numbers are
 * all that is read: nothing in a file can run. Any safetensors reader reads the arrays.
 *
 * <p>The checksum finds damage; it does not stop somebody who can write the file.
 *
 * @see <a href="https://github.com/huggingface/safetensors#format">the format</a>
 */
public final class TensorFile implements AutoCloseable {
  static final String METADATA = "__metadata__";
  static final String CHECKSUM = "sha256";
  static final int CHECKSUM_BYTES = 32;
  private static final int BUFFER_BYTES = 1 << 20;
  // 256 MiB at a time.
  private static final long CHUNK_BYTES = 1 << 28;

  private final Path file;
  private final FileChannel channel;
  private final Map<String, String> metadata = new LinkedHashMap<>();
  private final Map<String, Entry> entries = new LinkedHashMap<>();
  private String checksum = "";

  private record Entry(DataType type, Shape shape, long begin, long end) {}

  private TensorFile(Path file, FileChannel channel) {
    this.file = file;
    this.channel = channel;
  }

  /**
   * Writes a file, in the place of an old one if there is one. When this returns, the new file is
   * on disk; if it fails or the process dies, the old file is as it was.
   *
   * @param file where to
   * @param metadata texts by name
   * @param tensors arrays by name; types that {@link DataType#asSafetensors} knows
   * @return the checksum, hexadecimal
   * @throws IllegalArgumentException if a name is reserved
   * @throws UncheckedIOException if it cannot be written
   */
  public static String write(
      Path file, Map<String, String> metadata, Map<String, NDArray> tensors) {
    for (String reserved : new String[] {METADATA, CHECKSUM}) {
      if (tensors.containsKey(reserved)) {
        throw new IllegalArgumentException("names must not be reserved, got '" + reserved + "'");
      }
    }
    return TensorFileWriter.write(file, metadata, tensors);
  }

  /**
   * Opens a file and checks that it is whole.
   *
   * @param file the file
   * @return the opened file
   * @throws IllegalStateException if the file is cut short, damaged or of another format
   * @throws UncheckedIOException if it cannot be read
   */
  public static TensorFile open(Path file) {
    try {
      FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
      try {
        TensorFile opened = new TensorFile(file, channel);
        opened.verify();
        opened.readHeader();
        return opened;
      } catch (IOException | RuntimeException e) {
        channel.close();
        throw e;
      }
    } catch (IOException e) {
      throw new UncheckedIOException("file must be readable, got a failure for " + file, e);
    }
  }

  /**
   * The checksum that the writer returned.
   *
   * @return SHA-256, hexadecimal
   */
  public String checksum() {
    return checksum;
  }

  /**
   * The texts by name.
   *
   * @return the metadata
   */
  public Map<String, String> metadata() {
    return Collections.unmodifiableMap(metadata);
  }

  /**
   * The names of the arrays.
   *
   * @return the names in the order of writing
   */
  public Set<String> names() {
    return Collections.unmodifiableSet(entries.keySet());
  }

  /**
   * Reads an array.
   *
   * @param name its name
   * @param manager the manager of the array
   * @return the array
   * @throws IllegalArgumentException if there is none of this name
   * @throws UncheckedIOException if the file cannot be read
   */
  public NDArray read(String name, NDManager manager) {
    Entry entry = entries.get(name);
    if (entry == null) {
      throw new IllegalArgumentException("name must be one of the file's, got '" + name + "'");
    }
    try (NDManager scope = manager.newSubManager()) {
      NDList parts = new NDList();
      for (long begin = entry.begin(); begin < entry.end(); begin += CHUNK_BYTES) {
        int bytes = (int) Math.min(CHUNK_BYTES, entry.end() - begin);
        ByteBuffer buffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.LITTLE_ENDIAN);
        readFully(buffer, begin);
        parts.add(
            scope.create(buffer, new Shape(bytes / entry.type().getNumOfBytes()), entry.type()));
      }
      NDArray whole =
          parts.isEmpty()
              ? scope.create(entry.shape(), entry.type())
              : NDArrays.concat(parts, 0).reshape(entry.shape());
      whole.attach(manager);
      return whole;
    } catch (IOException e) {
      throw new UncheckedIOException("file must be readable, got a failure for " + file, e);
    }
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw new UncheckedIOException("closing " + file + " failed", e);
    }
  }

  static MessageDigest newDigest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform must have SHA-256", e);
    }
  }

  private void verify() throws IOException {
    long content = channel.size() - CHECKSUM_BYTES;
    if (content < Long.BYTES) {
      throw damaged("it has " + channel.size() + " bytes");
    }
    MessageDigest digest = newDigest();
    ByteBuffer buffer = ByteBuffer.allocate(BUFFER_BYTES);
    for (long position = 0; position < content; position += BUFFER_BYTES) {
      buffer.clear().limit((int) Math.min(BUFFER_BYTES, content - position));
      readFully(buffer, position);
      digest.update(buffer);
    }
    ByteBuffer stored = ByteBuffer.allocate(CHECKSUM_BYTES);
    readFully(stored, content);
    byte[] actual = digest.digest();
    if (!MessageDigest.isEqual(actual, stored.array())) {
      throw damaged("its checksum does not fit");
    }
    checksum = HexFormat.of().formatHex(actual);
  }

  private void readHeader() throws IOException {
    ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    readFully(length, 0);
    long bytes = length.getLong();
    long data = Long.BYTES + bytes;
    if (bytes < 2 || bytes > Integer.MAX_VALUE || data > channel.size()) {
      throw damaged("its header has " + bytes + " bytes");
    }
    ByteBuffer text = ByteBuffer.allocate((int) bytes);
    readFully(text, Long.BYTES);
    try {
      JsonObject header =
          JsonParser.parseString(new String(text.array(), StandardCharsets.UTF_8))
              .getAsJsonObject();
      JsonObject texts = header.getAsJsonObject(METADATA);
      texts.entrySet().forEach(pair -> metadata.put(pair.getKey(), pair.getValue().getAsString()));
      for (Map.Entry<String, JsonElement> pair : header.entrySet()) {
        if (!pair.getKey().equals(METADATA) && !pair.getKey().equals(CHECKSUM)) {
          entries.put(pair.getKey(), entry(pair.getKey(), pair.getValue().getAsJsonObject(), data));
        }
      }
    } catch (JsonParseException | NullPointerException | UnsupportedOperationException e) {
      throw new IllegalStateException(
          "file must have a header in the safetensors format, got another one in " + file, e);
    }
  }

  private Entry entry(String name, JsonObject json, long data) throws IOException {
    DataType type = DataType.fromSafetensors(json.get("dtype").getAsString());
    JsonArray dimensions = json.getAsJsonArray("shape");
    long[] shape = new long[dimensions.size()];
    for (int i = 0; i < shape.length; i++) {
      shape[i] = dimensions.get(i).getAsLong();
    }
    JsonArray offsets = json.getAsJsonArray("data_offsets");
    Entry entry =
        new Entry(
            type,
            new Shape(shape),
            data + offsets.get(0).getAsLong(),
            data + offsets.get(1).getAsLong());
    if (entry.begin() < data
        || entry.end() > channel.size()
        || entry.end() - entry.begin() != entry.shape().size() * type.getNumOfBytes()) {
      throw damaged("array '" + name + "' does not fit its shape " + entry.shape());
    }
    return entry;
  }

  private void readFully(ByteBuffer buffer, long position) throws IOException {
    while (buffer.hasRemaining()) {
      if (channel.read(buffer, position + buffer.position()) < 0) {
        throw new EOFException("unexpected end of " + file);
      }
    }
    buffer.flip();
  }

  private IllegalStateException damaged(String how) {
    return new IllegalStateException(
        "file must be whole, got a damaged one, " + file + ": " + how + "; restore it");
  }
}
