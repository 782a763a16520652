/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.fastdp.internal.kernel.FloatType;
import ai.fastdp.kernel.TorchScriptModule;
import java.lang.reflect.Field;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;

/** Casts to the types of weights, bfloat16 among them, which DJL cannot do. */
public final class Halves {
  private static final String CAST =
      """
        def cast(self: __torch__.Cast,
          tensor: Tensor) -> Tensor:
          return torch.to(tensor, %d, False, True)
      """;

  private Halves() {}

  /** A copy in a type. */
  public static NDArray cast(NDArray array, FloatType type) {
    NDManager manager = array.getManager();
    int code =
        switch (type) {
          case FLOAT32 -> 6;
          case FLOAT16 -> 5;
          case BFLOAT16 -> 15;
        };
    try (TorchScriptModule module =
        TorchScriptModule.compile(manager, "Cast", CAST.formatted(code))) {
      // As a part of a graph it may require gradients later.
      NDArray copy = module.runDifferentiable("cast", array.stopGradient()).head();
      copy.setName(array.getName());
      return copy;
    }
  }

  /** Float arrays rounded to a type and given in another one; others as they are. */
  static NDList rounded(NDList list, FloatType type, FloatType as) {
    NDList rounded = new NDList();
    for (NDArray array : list) {
      rounded.add(array.getDataType().isFloating() ? cast(cast(array, type), as) : array);
    }
    return rounded;
  }

  /** Rounds all parameters of a float32 model to a type and holds them in another one. */
  public static Model round(Model model, FloatType type, FloatType as) {
    Set<Parameter> seen = Collections.newSetFromMap(new IdentityHashMap<>());
    for (Parameter parameter : model.getBlock().getParameters().values()) {
      if (seen.add(parameter)) {
        NDArray array = cast(cast(parameter.getArray(), type), as);
        array.attach(model.getNDManager());
        replace(parameter, array);
        array.setRequiresGradient(parameter.requiresGradient());
      }
    }
    return model;
  }

  /** DJL sets a parameter's array once. */
  private static void replace(Parameter parameter, NDArray array) {
    try {
      Field field = Parameter.class.getDeclaredField("array");
      field.setAccessible(true);
      field.set(parameter, array);
      array.setName(parameter.getName());
    } catch (ReflectiveOperationException e) {
      throw new LinkageError("this version of DJL keeps a parameter's array elsewhere", e);
    }
  }
}
