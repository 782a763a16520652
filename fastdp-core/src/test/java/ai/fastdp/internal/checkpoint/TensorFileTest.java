/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class TensorFileTest {
  private static final Map<String, String> TEXTS =
      Map.of("plan", "a = 1\nb = \"2\" \\ \u03b5", "empty", "");

  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  private Path directory;

  private final NDManager manager = NDManager.newBaseManager("PyTorch");

  @AfterEach
  void close() {
    manager.close();
  }

  private Map<String, NDArray> arrays() {
    Map<String, NDArray> arrays = new LinkedHashMap<>();
    arrays.put(
        "model/a",
        manager.create(
            new float[] {1, -0f, Float.MIN_VALUE, Float.NaN, Float.POSITIVE_INFINITY, 6},
            new Shape(2, 3)));
    arrays.put("scalar", manager.create(2.5f));
    arrays.put("none", manager.create(new Shape(0, 4), DataType.FLOAT32));
    arrays.put("double", manager.create(new double[] {Math.PI}));
    arrays.put("half", manager.create(new float[] {1.5f, -2}).toType(DataType.FLOAT16, false));
    arrays.put("long", manager.create(new long[] {Long.MIN_VALUE, 7}));
    arrays.put("int", manager.create(new int[] {-1, 2, 3}));
    arrays.put("byte", manager.create(new byte[] {-1, 2, 3}));
    arrays.put("bool", manager.create(new boolean[] {true, false, true}));
    return arrays;
  }

  private Path write() {
    Path file = directory.resolve("file");
    TensorFile.write(file, TEXTS, arrays());
    return file;
  }

  @Test
  void open_whatWasWritten_isTheSameToTheLastBit() {
    Path file = directory.resolve("file");
    Map<String, NDArray> arrays = arrays();
    String checksum = TensorFile.write(file, TEXTS, arrays);
    try (TensorFile read = TensorFile.open(file)) {
      assertThat(read.checksum()).isEqualTo(checksum).hasSize(64);
      assertThat(read.metadata()).isEqualTo(TEXTS);
      assertThat(read.names()).containsExactlyElementsOf(arrays.keySet());
      arrays.forEach(
          (name, array) -> {
            NDArray back = read.read(name, manager);
            assertThat(back.getShape()).isEqualTo(array.getShape());
            assertThat(back.getDataType()).isEqualTo(array.getDataType());
            assertThat(back.toByteArray()).isEqualTo(array.toByteArray());
          });
      assertThatThrownBy(() -> read.read("other", manager))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void write_anyFile_isReadByAnotherReaderOfTheFormat() throws Exception {
    Map<String, NDArray> arrays = arrays();
    // DJL's reader does not take arrays without elements.
    arrays.remove("none");
    Path file = directory.resolve("file");
    TensorFile.write(file, TEXTS, arrays);
    NDList read = NDList.decode(manager, Files.newInputStream(file));
    for (NDArray array : read) {
      if (!array.getName().equals("sha256")) {
        NDArray expected = Objects.requireNonNull(arrays.get(array.getName()));
        assertThat(array.toByteArray()).isEqualTo(expected.toByteArray());
        assertThat(array.getShape()).isEqualTo(expected.getShape());
      }
    }
    assertThat(read).hasSize(arrays.size() + 1);
  }

  @Test
  void write_viewsOfAnArray_areWrittenInTheirOrder() {
    NDArray whole = manager.arange(24f).reshape(4, 6);
    NDArray view = whole.transpose();
    Path file = directory.resolve("file");
    TensorFile.write(file, Map.of(), Map.of("view", view));
    try (TensorFile read = TensorFile.open(file)) {
      assertThat(read.read("view", manager).toFloatArray()).isEqualTo(view.toFloatArray());
    }
  }

  @Test
  void open_cutAtAnyByte_isRefused() throws Exception {
    byte[] whole = Files.readAllBytes(write());
    Path cut = directory.resolve("cut");
    for (int length = 0; length < whole.length; length++) {
      Files.write(cut, Arrays.copyOf(whole, length));
      assertThatThrownBy(() -> TensorFile.open(cut))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("whole");
    }
  }

  @Test
  void open_anyFlippedBit_isRefused() throws Exception {
    byte[] whole = Files.readAllBytes(write());
    Path damaged = directory.resolve("damaged");
    for (int position = 0; position < whole.length; position++) {
      byte[] bytes = whole.clone();
      bytes[position] ^= (byte) (1 << position % 8);
      Files.write(damaged, bytes);
      assertThatThrownBy(() -> TensorFile.open(damaged)).isInstanceOf(IllegalStateException.class);
    }
    byte[] longer = Arrays.copyOf(whole, whole.length + 1);
    Files.write(damaged, longer);
    assertThatThrownBy(() -> TensorFile.open(damaged)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void write_failure_leavesTheOldFile() throws Exception {
    Path file = write();
    byte[] before = Files.readAllBytes(file);
    // The place of the unfinished file is taken.
    Files.createDirectory(directory.resolve("file.new"));
    assertThatThrownBy(() -> TensorFile.write(file, Map.of(), Map.of()))
        .isInstanceOf(UncheckedIOException.class);
    assertThat(Files.readAllBytes(file)).isEqualTo(before);
    Files.delete(directory.resolve("file.new"));
    NDArray closed = manager.create(1f);
    closed.close();
    assertThatThrownBy(() -> TensorFile.write(file, Map.of(), Map.of("closed", closed)))
        .isInstanceOf(RuntimeException.class);
    assertThat(Files.readAllBytes(file)).isEqualTo(before);
  }

  @Test
  void write_overAnOldFile_replacesItAndLeavesNothingBeside() throws Exception {
    Path file = write();
    // Left over by a process that died.
    Files.write(directory.resolve("file.new"), new byte[100_000]);
    TensorFile.write(file, Map.of("n", "2"), Map.of());
    try (TensorFile read = TensorFile.open(file)) {
      assertThat(read.metadata()).isEqualTo(Map.of("n", "2"));
      assertThat(read.names()).isEmpty();
    }
    try (var files = Files.list(directory)) {
      assertThat(files.toList()).containsExactly(file);
    }
  }

  @Test
  void write_reservedName_isRefused() {
    for (String name : List.of("sha256", "__metadata__")) {
      assertThatThrownBy(
              () ->
                  TensorFile.write(
                      directory.resolve("file"), Map.of(), Map.of(name, manager.create(1f))))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void open_missingFile_throws() {
    assertThatThrownBy(() -> TensorFile.open(directory.resolve("missing")))
        .isInstanceOf(UncheckedIOException.class);
  }
}
