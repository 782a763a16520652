/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.fastdp.kernel.TorchScriptModule;

/**
 * The two PyTorch kernels that GPT-2 needs and DJL has no call for: fused causal attention and the
 * GELU by tanh.
 *
 * <p>Both are differentiable where the calling thread collects gradients, and hold no state, so one
 * instance serves every model, device and thread.
 */
final class FusedOps {

  private static final String CLASS_NAME = "Gpt2Ops";

  private static final String METHODS =
      """
        def causal_attention(self: __torch__.Gpt2Ops,
          qkv: Tensor) -> Tensor:
          q, k, v, = torch.unbind(torch.permute(qkv, [2, 0, 3, 1, 4]), 0)
          y = torch.scaled_dot_product_attention(q, k, v, None, 0., True)
          return torch.flatten(torch.transpose(y, 1, 2), 2)
        def gelu(self: __torch__.Gpt2Ops,
          x: Tensor) -> Tensor:
          return torch.gelu(x, approximate="tanh")
      """;

  private final TorchScriptModule module =
      TorchScriptModule.compile(
          NDManager.newBaseManager(Device.cpu(), "PyTorch"), CLASS_NAME, METHODS);

  private FusedOps() {}

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
    return module.runDifferentiable("causal_attention", qkv).singletonOrThrow();
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
    return module.runDifferentiable("gelu", x).singletonOrThrow();
  }

  private static final class Holder {
    static final FusedOps INSTANCE = new FusedOps();
  }
}
