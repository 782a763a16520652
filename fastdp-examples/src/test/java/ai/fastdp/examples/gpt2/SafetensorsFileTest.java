/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.fastdp.examples.training.InputException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class SafetensorsFileTest {

  private final NDManager manager = NDManager.newBaseManager("PyTorch");
  private Path path = Path.of("");

  @BeforeEach
  void choosePath(@TempDir Path directory) {
    path = directory.resolve("model.safetensors");
  }

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void read_float32_isBitExact() throws IOException {
    float[] values = {1.5f, -0f, Float.MIN_VALUE, Float.NaN, Float.NEGATIVE_INFINITY, 3e38f};
    ByteBuffer data = data(24);
    for (float value : values) {
      data.putFloat(value);
    }
    write("{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}}", data);
    try (SafetensorsFile file = new SafetensorsFile(path)) {
      assertThat(file.shape("a")).isEqualTo(new Shape(2, 3));
      assertThat(file.read(manager, "a").toFloatArray()).containsExactly(values);
    }
  }

  /** The expected values are those of the IEEE 754 and bfloat16 tables. */
  @Test
  void read_halfPrecision_isConvertedExactly() throws IOException {
    short[] halves = {0x3c00, (short) 0xc000, 0x7bff, 0x0001, 0x0400, (short) 0x8000, 0x7c00};
    short[] brains = {0x3f80, (short) 0xc000, 0x4049, 0x0001, (short) 0xff80};
    ByteBuffer data = data(24);
    for (short half : halves) {
      data.putShort(half);
    }
    for (short brain : brains) {
      data.putShort(brain);
    }
    write(
        "{\"__metadata__\":{\"format\":\"pt\"},"
            + "\"half\":{\"dtype\":\"F16\",\"shape\":[7],\"data_offsets\":[0,14]},"
            + "\"brain\":{\"dtype\":\"BF16\",\"shape\":[5],\"data_offsets\":[14,24]}}",
        data);
    try (SafetensorsFile file = new SafetensorsFile(path)) {
      assertThat(file.names()).containsExactly("half", "brain");
      assertThat(file.read(manager, "half").toFloatArray())
          .containsExactly(1, -2, 65504, 0x1p-24f, 0x1p-14f, -0f, Float.POSITIVE_INFINITY);
      assertThat(file.read(manager, "brain").toFloatArray())
          .containsExactly(1, -2, 3.140625f, 0x1p-133f, Float.NEGATIVE_INFINITY);
    }
  }

  @Test
  void read_typeThatIsNoFloat_namesIt() throws IOException {
    write("{\"mask\":{\"dtype\":\"BOOL\",\"shape\":[4],\"data_offsets\":[0,4]}}", data(4));
    try (SafetensorsFile file = new SafetensorsFile(path)) {
      assertThatThrownBy(() -> file.read(manager, "mask"))
          .isInstanceOf(InputException.class)
          .hasMessageContaining("must be F32, F16 or BF16, got BOOL");
    }
  }

  @ParameterizedTest(name = "type {0}, shape {1}, offsets {2}: {3}")
  @CsvSource(
      delimiter = ';',
      value = {
        "F32; [2]; [0,12]; has 12 bytes",
        "F32; [2]; [4,12]; outside the file",
        "F32; [2]; [-4,4]; outside the file",
        "F32; [2]; [8,0]; outside the file",
        "F32; [-2]; [0,8]; has shape",
        "F32; [65536,65536,65536,65536]; [0,8]; has shape",
        "F32; [4611686018427387904,4]; [0,8]; has shape",
        "F32; [2]; [0]; two data_offsets",
        "F32; [2]; [0,1e99]; is malformed",
        "F32; [2]; [0,99999999999999999999]; is malformed",
        "F32; 2; [0,8]; is malformed",
        "F32; [2.5]; [0,8]; is malformed",
        "F32; [\"x\"]; [0,8]; is malformed",
      })
  void open_entryThatContradictsItself_isRefused(
      String type, String shape, String offsets, String message) throws IOException {
    write(
        "{\"a\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":%s}}"
            .formatted(type, shape, offsets),
        data(offsets.equals("[0,12]") ? 12 : 8));
    assertRefused(message);
  }

  @ParameterizedTest(name = "header {0}")
  @CsvSource(
      delimiter = ';',
      value = {
        "[]; not JSON",
        "{\"a\"; not JSON",
        "{\"a\":7}; is malformed",
        "{\"a\":{}}; is malformed"
      })
  void open_headerThatIsNone_isRefused(String header, String message) throws IOException {
    write(header, data(0));
    assertRefused(message);
  }

  @ParameterizedTest(name = "header length {0}")
  @CsvSource({"-1", "0", "1000", "9223372036854775807"})
  void open_headerLongerThanTheFile_isRefused(long length) throws IOException {
    write(data(Long.BYTES + 2).putLong(length).put((byte) '{').put((byte) '}'));
    assertRefused("a header of");
  }

  @Test
  void open_anyDamage_isRefusedOrHarmless() throws IOException {
    byte[] sound = Files.readAllBytes(GptTiny.path("model.safetensors"));
    Random random = new Random(5);
    for (int i = 0; i < 300; i++) {
      byte[] damaged = sound.clone();
      // The header is what is interpreted; its first 3,000 bytes hold entries and the length.
      damaged[random.nextInt(3000)] = (byte) random.nextInt(256);
      Files.write(path, damaged);
      try (SafetensorsFile file = new SafetensorsFile(path);
          NDManager scope = manager.newSubManager()) {
        for (String name : file.names()) {
          assertThat(file.read(scope, name).getShape()).isEqualTo(file.shape(name));
        }
      } catch (InputException e) {
        assertThat(e).hasMessageNotContaining("\n");
      }
    }
  }

  @Test
  void open_noFile_saysSo() {
    assertRefused("cannot open");
  }

  private void assertRefused(String message) {
    assertThatThrownBy(() -> new SafetensorsFile(path))
        .isInstanceOf(InputException.class)
        .hasMessageContaining(message);
  }

  private static ByteBuffer data(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private void write(String header, ByteBuffer data) throws IOException {
    byte[] text = header.getBytes(StandardCharsets.UTF_8);
    write(
        data(Long.BYTES + text.length + data.capacity())
            .putLong(text.length)
            .put(text)
            .put(data.rewind()));
  }

  private void write(ByteBuffer bytes) throws IOException {
    try (FileChannel channel =
        FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      channel.write(bytes.flip());
    }
  }
}
