/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.fastdp.kernel.TorchScriptModule;
import ai.fastdp.mechanism.PrivatizedGradient;
import java.util.ArrayList;
import java.util.List;

/** The compiled update kernels and the per-parameter state arrays of one optimizer. */
final class UpdateKernels implements AutoCloseable {
  private final NDManager manager;
  private final TorchScriptModule module;
  private final List<Parameter> parameters;

  private UpdateKernels(NDManager manager, TorchScriptModule module, List<Parameter> parameters) {
    this.manager = manager;
    this.module = module;
    this.parameters = parameters;
  }

  static UpdateKernels forParametersOf(PrivatizedGradient gradient) {
    NDManager manager = gradient.parameters().get(0).getArray().getManager().newSubManager();
    TorchScriptModule module =
        TorchScriptModule.compileResource(
            manager, "Updates", UpdateKernels.class, "updates.torchscript");
    return new UpdateKernels(manager, module, gradient.parameters());
  }

  /** A zero array beside every parameter. */
  List<NDArray> zeros() {
    List<NDArray> zeros = new ArrayList<>();
    for (Parameter parameter : parameters) {
      NDArray array = parameter.getArray().zerosLike();
      array.attach(manager);
      zeros.add(array);
    }
    return zeros;
  }

  /** The update's number beside every parameter, as the kernels take it. */
  List<NDArray> counts(NDManager scope, long count) {
    NDArray shared = scope.create((float) count);
    List<NDArray> counts = new ArrayList<>();
    parameters.forEach(parameter -> counts.add(shared));
    return counts;
  }

  /** The weights, in the order of the state arrays. */
  List<NDArray> weights(PrivatizedGradient gradient) {
    if (!gradient.parameters().equals(parameters)) {
      throw new IllegalStateException(
          "parameters must be those of the first update, got others; use one optimizer for each"
              + " trainer");
    }
    return parameters.stream().map(Parameter::getArray).toList();
  }

  NDManager newScope() {
    return manager.newSubManager();
  }

  void run(NDManager scope, String method, Object... arguments) {
    module.run(scope, method, arguments);
  }

  @Override
  public void close() {
    manager.close();
  }
}
