/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.JniUtils;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * TorchScript modules with parameters, as other programs export them: an archive assembled in
 * memory and read by DJL.
 */
final class ScriptedModule {
  private final Map<String, Shape> parameters = new LinkedHashMap<>();
  private final Map<String, Shape> buffers = new LinkedHashMap<>();
  private final String methods;

  /**
   * @param methods the text of the methods, of class {@code Scripted}
   */
  ScriptedModule(String methods) {
    this.methods = methods;
  }

  /** tanh(x W^T + b) for x (..., inputs). */
  static ScriptedModule dense(long inputs, long outputs) {
    return new ScriptedModule(
            """
              def forward(self: __torch__.Scripted,
                x: Tensor) -> Tensor:
                return torch.tanh(torch.linear(x, self.weight, self.bias))
            """)
        .parameter("weight", outputs, inputs)
        .parameter("bias", outputs);
  }

  ScriptedModule parameter(String name, long... shape) {
    parameters.put(name, new Shape(shape));
    return this;
  }

  ScriptedModule buffer(String name, long... shape) {
    buffers.put(name, new Shape(shape));
    return this;
  }

  /** Loads the module; parameters are random, and trainable. */
  PtSymbolBlock load(NDManager manager, long seed) {
    try (ByteArrayInputStream in = new ByteArrayInputStream(archive(new Random(seed)))) {
      PtSymbolBlock block = JniUtils.loadModule((PtNDManager) manager, in, true, false);
      for (Parameter parameter : block.getDirectParameters().values()) {
        parameter.freeze(false);
      }
      return block;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private byte[] archive(Random random) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    Map<String, Shape> tensors = new LinkedHashMap<>(parameters);
    tensors.putAll(buffers);
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      zip.setMethod(ZipOutputStream.STORED);
      store(zip, "data.pkl", module(tensors));
      store(zip, "code/__torch__.py", text(tensors).getBytes(StandardCharsets.UTF_8));
      store(zip, "constants.pkl", new byte[] {(byte) 0x80, 2, ')', '.'});
      store(zip, "version", "10\n".getBytes(StandardCharsets.US_ASCII));
      int number = 0;
      for (Shape shape : tensors.values()) {
        ByteBuffer values =
            ByteBuffer.allocate(Math.toIntExact(4 * shape.size())).order(ByteOrder.LITTLE_ENDIAN);
        while (values.hasRemaining()) {
          values.putFloat(0.4f * (float) random.nextGaussian());
        }
        store(zip, "data/" + number++, values.array());
      }
    }
    return bytes.toByteArray();
  }

  private String text(Map<String, Shape> tensors) {
    StringBuilder text = new StringBuilder("class Scripted(Module):\n");
    text.append("  __parameters__ = [").append(quoted(parameters)).append("]\n");
    text.append("  __buffers__ = [").append(quoted(buffers)).append("]\n");
    tensors.keySet().forEach(name -> text.append("  ").append(name).append(" : Tensor\n"));
    return text.append("  training : bool\n").append(methods.indent(0)).toString();
  }

  private static String quoted(Map<String, Shape> names) {
    StringBuilder list = new StringBuilder();
    names.keySet().forEach(name -> list.append('"').append(name).append("\", "));
    return list.toString();
  }

  /** Pickles {@code __torch__.Scripted()} with its tensors and {@code training} for state. */
  private static byte[] module(Map<String, Shape> tensors) {
    ByteArrayOutputStream pickle = new ByteArrayOutputStream();
    pickle.writeBytes(new byte[] {(byte) 0x80, 2});
    global(pickle, "__torch__", "Scripted");
    pickle.writeBytes(new byte[] {')', (byte) 0x81, '}', '('});
    int number = 0;
    for (Map.Entry<String, Shape> tensor : tensors.entrySet()) {
      unicode(pickle, tensor.getKey());
      tensor(pickle, number++, tensor.getValue());
    }
    unicode(pickle, "training");
    pickle.writeBytes(new byte[] {(byte) 0x88, 'u', 'b', '.'});
    return pickle.toByteArray();
  }

  private static void tensor(ByteArrayOutputStream pickle, int number, Shape shape) {
    global(pickle, "torch._utils", "_rebuild_tensor_v2");
    pickle.writeBytes(new byte[] {'(', '('});
    unicode(pickle, "storage");
    global(pickle, "torch", "FloatStorage");
    unicode(pickle, String.valueOf(number));
    unicode(pickle, "cpu");
    integer(pickle, shape.size());
    pickle.writeBytes(new byte[] {'t', 'Q'});
    integer(pickle, 0);
    pickle.write('(');
    for (long size : shape.getShape()) {
      integer(pickle, size);
    }
    pickle.writeBytes(new byte[] {'t', '('});
    for (int axis = 0; axis < shape.dimension(); axis++) {
      integer(pickle, shape.slice(axis + 1).size());
    }
    pickle.writeBytes(new byte[] {'t', (byte) 0x89});
    global(pickle, "collections", "OrderedDict");
    pickle.writeBytes(new byte[] {')', 'R', 't', 'R'});
  }

  private static void global(ByteArrayOutputStream pickle, String module, String name) {
    pickle.write('c');
    pickle.writeBytes((module + "\n" + name + "\n").getBytes(StandardCharsets.US_ASCII));
  }

  private static void unicode(ByteArrayOutputStream pickle, String text) {
    pickle.write('X');
    littleEndian(pickle, text.length());
    pickle.writeBytes(text.getBytes(StandardCharsets.US_ASCII));
  }

  private static void integer(ByteArrayOutputStream pickle, long value) {
    pickle.write('J');
    littleEndian(pickle, Math.toIntExact(value));
  }

  private static void littleEndian(ByteArrayOutputStream pickle, int value) {
    pickle.writeBytes(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array());
  }

  private static void store(ZipOutputStream zip, String name, byte[] content) throws IOException {
    CRC32 crc = new CRC32();
    crc.update(content);
    ZipEntry entry = new ZipEntry("scripted/" + name);
    entry.setMethod(ZipEntry.STORED);
    entry.setSize(content.length);
    entry.setCompressedSize(content.length);
    entry.setCrc(crc.getValue());
    zip.putNextEntry(entry);
    zip.write(content);
    zip.closeEntry();
  }
}
