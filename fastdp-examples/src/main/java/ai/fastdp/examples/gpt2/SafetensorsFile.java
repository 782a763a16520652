/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.fastdp.examples.training.InputException;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/**
 * Reads a file in the safetensors format.
 *
 * <p>The file is an 8-byte little-endian length, a JSON header of that length, and the raw bytes of
 * the tensors. The header is checked in full when the file is opened: types, shapes and byte ranges
 * must agree with each other and with the length of the file. Nothing in the file is executed.
 *
 * <p>fastdp's checkpoints have the same format and another reader. That one refuses a file without
 * fastdp's checksum and reads its types back as they are. This one reads the files of strangers,
 * converts 16-bit weights to float32, and reports faults as bad input of the command line.
 *
 * @see <a href="https://github.com/huggingface/safetensors#format">the format</a>
 */
final class SafetensorsFile implements AutoCloseable {

  /** The limit of the reference implementation. */
  private static final long MAX_HEADER_BYTES = 100_000_000L;

  private static final int LENGTH_BYTES = Long.BYTES;

  private final Path path;
  private final FileChannel channel;
  private final Map<String, Entry> entries = new LinkedHashMap<>();

  /**
   * Opens a file and checks its header.
   *
   * @param path the file
   * @throws InputException if it cannot be read, or is not a sound safetensors file
   */
  SafetensorsFile(Path path) {
    this.path = path;
    try {
      channel = FileChannel.open(path, StandardOpenOption.READ);
    } catch (IOException e) {
      throw new InputException("cannot open " + path, e);
    }
    try {
      readHeader();
    } catch (IOException e) {
      closeQuietly();
      throw new InputException("cannot read " + path, e);
    } catch (RuntimeException e) {
      closeQuietly();
      throw e;
    }
  }

  /** Returns the names of all tensors in the file. */
  Set<String> names() {
    return entries.keySet();
  }

  /**
   * Returns the shape of a tensor.
   *
   * @throws InputException if the file does not hold it
   */
  Shape shape(String name) {
    return entry(name).shape;
  }

  /**
   * Reads a tensor and converts it to float32.
   *
   * @throws InputException if the file does not hold it or cannot be read
   */
  NDArray read(NDManager manager, String name) {
    Entry entry = entry(name);
    if (entry.type == null) {
      throw new InputException(
          "tensor '" + name + "' of " + path + " must be F32, F16 or BF16, got " + entry.typeName);
    }
    ByteBuffer bytes =
        ByteBuffer.allocate(Math.toIntExact(entry.end - entry.begin))
            .order(ByteOrder.LITTLE_ENDIAN);
    try {
      readFully(bytes, entry.begin);
    } catch (IOException e) {
      throw new InputException("cannot read tensor '" + name + "' of " + path, e);
    }
    float[] values = new float[Math.toIntExact(entry.shape.size())];
    switch (entry.type) {
      case F32 -> bytes.asFloatBuffer().get(values);
      case BF16 -> {
        for (int i = 0; i < values.length; i++) {
          values[i] = Float.intBitsToFloat(bytes.getShort() << 16);
        }
      }
      case F16 -> {
        for (int i = 0; i < values.length; i++) {
          values[i] = halfToFloat(bytes.getShort());
        }
      }
    }
    return manager.create(values, entry.shape);
  }

  @Override
  public void close() {
    closeQuietly();
  }

  /** IEEE 754 binary16 to binary32, exact. */
  private static float halfToFloat(short half) {
    int sign = (half & 0x8000) << 16;
    int exponent = (half >> 10) & 0x1f;
    int fraction = half & 0x3ff;
    if (exponent == 0x1f) {
      return Float.intBitsToFloat(sign | 0x7f800000 | fraction << 13);
    }
    if (exponent == 0) {
      float magnitude = fraction * 0x1p-24f;
      return sign == 0 ? magnitude : -magnitude;
    }
    return Float.intBitsToFloat(sign | (exponent + 112) << 23 | fraction << 13);
  }

  private void readHeader() throws IOException {
    long fileBytes = channel.size();
    if (fileBytes < LENGTH_BYTES) {
      throw malformed("it is shorter than the length of a header");
    }
    ByteBuffer length = ByteBuffer.allocate(LENGTH_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    readFully(length, 0);
    long headerBytes = length.getLong();
    if (headerBytes < 2
        || headerBytes > MAX_HEADER_BYTES
        || headerBytes > fileBytes - LENGTH_BYTES) {
      throw malformed("a header of " + headerBytes + " bytes in a file of " + fileBytes);
    }
    ByteBuffer text = ByteBuffer.allocate((int) headerBytes);
    readFully(text, LENGTH_BYTES);
    JsonObject header;
    try {
      header =
          JsonParser.parseString(new String(text.array(), StandardCharsets.UTF_8))
              .getAsJsonObject();
    } catch (JsonParseException | IllegalStateException e) {
      throw new InputException(path + " is not a safetensors file: its header is not JSON", e);
    }
    long dataBegin = LENGTH_BYTES + headerBytes;
    for (Map.Entry<String, JsonElement> field : header.entrySet()) {
      if (!field.getKey().equals("__metadata__")) {
        entries.put(field.getKey(), parse(field.getKey(), field.getValue(), dataBegin, fileBytes));
      }
    }
  }

  private Entry parse(String name, JsonElement json, long dataBegin, long fileBytes) {
    String typeName;
    long[] dimensions;
    long begin;
    long end;
    try {
      JsonObject fields = json.getAsJsonObject();
      typeName = fields.get("dtype").getAsString();
      dimensions = longs(fields.get("shape").getAsJsonArray());
      JsonArray offsets = fields.get("data_offsets").getAsJsonArray();
      if (offsets.size() != 2) {
        throw malformed("tensor '" + name + "' needs two data_offsets");
      }
      begin = offsets.get(0).getAsBigInteger().longValueExact();
      end = offsets.get(1).getAsBigInteger().longValueExact();
    } catch (IllegalStateException
        | UnsupportedOperationException
        | NullPointerException
        | ArithmeticException
        | NumberFormatException e) {
      throw new InputException(
          path + " is not a safetensors file: the entry of tensor '" + name + "' is malformed", e);
    }
    if (LongStream.of(dimensions).anyMatch(dimension -> dimension < 0)) {
      throw malformed("tensor '" + name + "' has shape " + Arrays.toString(dimensions));
    }
    StoredType type = StoredType.of(typeName);
    if (type == null) {
      // Such a tensor may be one that nobody asks for, like GPT-2's boolean attention masks.
      return new Entry(typeName, null, new Shape(dimensions), begin, end);
    }
    long size = 1;
    for (long dimension : dimensions) {
      if (dimension > 0 && size > Integer.MAX_VALUE / dimension) {
        throw malformed("tensor '" + name + "' has shape " + new Shape(dimensions));
      }
      size *= dimension;
    }
    if (begin < 0 || end < begin || end > fileBytes - dataBegin) {
      throw malformed(
          "tensor '" + name + "' lies at bytes " + begin + " to " + end + ", outside the file");
    }
    if (end - begin != size * type.bytes) {
      throw malformed(
          "tensor '"
              + name
              + "' of type "
              + type
              + " and shape "
              + new Shape(dimensions)
              + " has "
              + (end - begin)
              + " bytes");
    }
    if (end - begin > Integer.MAX_VALUE) {
      throw malformed("tensor '" + name + "' is larger than 2 GiB");
    }
    return new Entry(typeName, type, new Shape(dimensions), dataBegin + begin, dataBegin + end);
  }

  private static long[] longs(JsonArray array) {
    long[] values = new long[array.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = array.get(i).getAsBigInteger().longValueExact();
    }
    return values;
  }

  private Entry entry(String name) {
    Entry entry = entries.get(name);
    if (entry == null) {
      throw new InputException(path + " has no tensor '" + name + "'");
    }
    return entry;
  }

  private void readFully(ByteBuffer buffer, long position) throws IOException {
    while (buffer.hasRemaining()) {
      int count = channel.read(buffer, position + buffer.position());
      if (count < 0) {
        throw new IOException("unexpected end of file");
      }
    }
    buffer.flip();
  }

  private InputException malformed(String what) {
    return new InputException(path + " is not a sound safetensors file: " + what);
  }

  private void closeQuietly() {
    try {
      channel.close();
    } catch (IOException e) {
      // Only read from: nothing can be lost.
    }
  }

  private enum StoredType {
    F32(4),
    F16(2),
    BF16(2);

    final int bytes;

    StoredType(int bytes) {
      this.bytes = bytes;
    }

    static @Nullable StoredType of(String name) {
      for (StoredType type : values()) {
        if (type.name().equals(name)) {
          return type;
        }
      }
      return null;
    }
  }

  /** Where a tensor lies in the file; {@code type} is null where it is one that is not read. */
  private record Entry(
      String typeName, @Nullable StoredType type, Shape shape, long begin, long end) {}
}
