/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.kernel;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * The bytes of a TorchScript archive around one module without parameters.
 *
 * <p>An archive is a zip of stored (uncompressed) entries: the version of the format, the pickled
 * module object, the pickled tuple of constants and the source text of the module's class. A module
 * without parameters or buffers has no tensor entries, so that nothing needs alignment and the same
 * archive serves every device.
 */
final class TorchScriptArchive {
  /** Format 10 is the first that every operator of PyTorch 2.x is read from without an upgrader. */
  private static final String FORMAT_VERSION = "10\n";

  private static final String ROOT = "fastdp/";

  /** Pickle protocol 2, the empty tuple. */
  private static final byte[] NO_CONSTANTS = {(byte) 0x80, 2, ')', '.'};

  private TorchScriptArchive() {}

  /** The archive of the class {@code __torch__.className} whose methods are {@code methods}. */
  static byte[] of(String className, String methods) {
    String header =
        "class "
            + className
            + "(Module):\n"
            + "  __parameters__ = []\n"
            + "  __buffers__ = []\n"
            + "  training : bool\n";
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      zip.setMethod(ZipOutputStream.STORED);
      store(zip, "data.pkl", pickledModule(className));
      store(zip, "code/__torch__.py", (header + methods).getBytes(StandardCharsets.UTF_8));
      store(zip, "constants.pkl", NO_CONSTANTS);
      store(zip, "version", FORMAT_VERSION.getBytes(StandardCharsets.US_ASCII));
    } catch (IOException e) {
      throw new UncheckedIOException("assembling a TorchScript archive in memory failed", e);
    }
    return bytes.toByteArray();
  }

  /** Pickles {@code __torch__.className()} with the state {@code {"training": True}}. */
  private static byte[] pickledModule(String className) {
    ByteArrayOutputStream pickle = new ByteArrayOutputStream();
    pickle.writeBytes(new byte[] {(byte) 0x80, 2, 'c'});
    pickle.writeBytes(("__torch__\n" + className + "\n").getBytes(StandardCharsets.US_ASCII));
    pickle.writeBytes(new byte[] {')', (byte) 0x81, '}', 'X', 8, 0, 0, 0});
    pickle.writeBytes("training".getBytes(StandardCharsets.US_ASCII));
    pickle.writeBytes(new byte[] {(byte) 0x88, 's', 'b', '.'});
    return pickle.toByteArray();
  }

  private static void store(ZipOutputStream zip, String name, byte[] content) throws IOException {
    CRC32 crc = new CRC32();
    crc.update(content);
    ZipEntry entry = new ZipEntry(ROOT + name);
    entry.setMethod(ZipEntry.STORED);
    entry.setSize(content.length);
    entry.setCompressedSize(content.length);
    entry.setCrc(crc.getValue());
    zip.putNextEntry(entry);
    zip.write(content);
    zip.closeEntry();
  }
}
