/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValueUtils;
import ai.djl.pytorch.jni.JniUtils;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * The two PyTorch kernels that GPT-2 needs and DJL has no call for: fused causal attention and the
 * GELU by tanh.
 *
 * <p>They are reached through a TorchScript module without state, assembled in memory from the
 * source text in this class. Both are differentiable where the calling thread collects gradients,
 * and hold no state, so one instance serves every model and thread.
 */
final class FusedOps {

  /**
   * Separate {@code q}, {@code k}, {@code v} out of one projection of shape (B, T, 3, heads, w);
   * the result has shape (B, T, heads * w).
   */
  private static final String SOURCE =
      """
      class Ops(Module):
        __parameters__ = []
        __buffers__ = []
        def causal_attention(self: __torch__.Ops,
          qkv: Tensor) -> Tensor:
          q, k, v, = torch.unbind(torch.permute(qkv, [2, 0, 3, 1, 4]), 0)
          y = torch.scaled_dot_product_attention(q, k, v, None, 0., True)
          return torch.flatten(torch.transpose(y, 1, 2), 2)
        def gelu(self: __torch__.Ops,
          x: Tensor) -> Tensor:
          return torch.gelu(x, approximate="tanh")
      """;

  /** File format 10 is the first in which {@code gelu} has the argument {@code approximate}. */
  private static final String FORMAT_VERSION = "10\n";

  /** Pickle, protocol 2: an object of class {@code __torch__.Ops} with an empty state. */
  private static final byte[] MODULE =
      "\u0080\u0002c__torch__\nOps\n)\u0081}b.".getBytes(StandardCharsets.ISO_8859_1);

  /** Pickle, protocol 2: the empty tuple. */
  private static final byte[] NO_CONSTANTS = "\u0080\u0002).".getBytes(StandardCharsets.ISO_8859_1);

  private final PtSymbolBlock module;
  private final NDArray causalAttention;
  private final NDArray gelu;

  private FusedOps() {
    PtNDManager manager = (PtNDManager) NDManager.newBaseManager(Device.cpu(), "PyTorch");
    try {
      module = JniUtils.loadModule(manager, new ByteArrayInputStream(archive()), false, false);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    causalAttention = methodMarker(manager, "causal_attention");
    gelu = methodMarker(manager, "gelu");
  }

  /**
   * Returns the one instance, made on first use.
   *
   * @return the kernels
   */
  static FusedOps get() {
    return Holder.INSTANCE;
  }

  /**
   * Attention of every position to itself and the positions before it.
   *
   * @param qkv queries, keys and values, (B, T, 3, heads, w)
   * @return (B, T, heads * w), attached to the manager of the argument
   */
  NDArray causalAttention(NDArray qkv) {
    return run(causalAttention, qkv);
  }

  /**
   * GELU by its tanh approximation.
   *
   * <p>\(\frac{x}{2} (1 + \tanh(\sqrt{2/\pi} (x + 0.044715 x^3)))\)
   *
   * @param x any shape
   * @return the same shape, attached to the manager of the argument
   */
  NDArray gelu(NDArray x) {
    return run(gelu, x);
  }

  private NDArray run(NDArray method, NDArray argument) {
    // "Training" leaves the gradient mode of the thread as it is; without it, gradients are off.
    return IValueUtils.forward(module, new NDList(argument, method), true).singletonOrThrow();
  }

  /** DJL reads the method to call off the name of an array among the inputs. */
  private static NDArray methodMarker(NDManager manager, String method) {
    NDArray marker = manager.create(0f);
    marker.setName("module_method:" + method);
    return marker;
  }

  private static byte[] archive() throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      store(zip, "ops/version", FORMAT_VERSION.getBytes(StandardCharsets.US_ASCII));
      store(zip, "ops/data.pkl", MODULE);
      store(zip, "ops/constants.pkl", NO_CONSTANTS);
      store(zip, "ops/code/__torch__.py", SOURCE.getBytes(StandardCharsets.US_ASCII));
    }
    return bytes.toByteArray();
  }

  private static void store(ZipOutputStream zip, String name, byte[] content) throws IOException {
    CRC32 crc = new CRC32();
    crc.update(content);
    ZipEntry entry = new ZipEntry(name);
    entry.setMethod(ZipEntry.STORED);
    entry.setSize(content.length);
    entry.setCrc(crc.getValue());
    zip.putNextEntry(entry);
    zip.write(content);
    zip.closeEntry();
  }

  private static final class Holder {
    static final FusedOps INSTANCE = new FusedOps();
  }
}
