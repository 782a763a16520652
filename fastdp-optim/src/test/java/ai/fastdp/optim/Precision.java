/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.fastdp.kernel.TorchScriptModule;

/** The types of weights. DJL can hold bfloat16 arrays but neither make nor name them. */
enum Precision {
  FLOAT32(6),
  FLOAT16(5),
  BFLOAT16(15);

  private static final String CAST =
      """
        def cast(self: __torch__.Cast,
          tensor: Tensor,
          dtype: int) -> Tensor:
          return torch.to(tensor, dtype, False, True)

        def dtype(self: __torch__.Cast,
          tensors: List[Tensor]) -> List[int]:
          return [ops.prim.dtype(tensors[0])]
      """;

  private final int code;

  Precision(int code) {
    this.code = code;
  }

  /** A copy in this type. */
  NDArray of(NDArray array) {
    NDManager manager = array.getManager();
    try (TorchScriptModule module = TorchScriptModule.compile(manager, "Cast", CAST)) {
      return module.run(manager, "cast", array, code).head();
    }
  }

  boolean isTypeOf(NDArray array) {
    try (TorchScriptModule module = TorchScriptModule.compile(array.getManager(), "Cast", CAST)) {
      return module.runToLongs("dtype", java.util.List.of(array))[0] == code;
    }
  }
}
