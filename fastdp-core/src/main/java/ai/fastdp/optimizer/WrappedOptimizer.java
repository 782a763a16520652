/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optimizer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.training.optimizer.Adadelta;
import ai.djl.training.optimizer.Adagrad;
import ai.djl.training.optimizer.Nag;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.optimizer.RmsProp;
import ai.fastdp.kernel.MasterWeights;
import ai.fastdp.mechanism.PrivatizedGradient;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A DJL optimizer that is given privatized gradients, one parameter at a time. */
final class WrappedOptimizer implements DpOptimizer {
  private final Optimizer optimizer;
  private @Nullable NDManager manager;
  private @Nullable MasterWeights masters;

  WrappedOptimizer(Optimizer optimizer) {
    this.optimizer = Objects.requireNonNull(optimizer, "optimizer");
    // Found out at the first update otherwise, after the step has been charged.
    if (optimizer instanceof Adagrad) {
      throw unsupported("DpAdagrad");
    } else if (optimizer instanceof RmsProp) {
      throw unsupported("DpRmsprop");
    } else if (optimizer instanceof Nag) {
      throw unsupported("DpSgd with optNesterov(true)");
    } else if (optimizer instanceof Adadelta) {
      throw unsupported("DpAdagrad or DpRmsprop");
    }
  }

  private IllegalArgumentException unsupported(String remedy) {
    return new IllegalArgumentException(
        "optimizer must be one that DJL implements for PyTorch, got "
            + optimizer.getClass().getName()
            + ", which throws there; use "
            + remedy);
  }

  @Override
  public void update(PrivatizedGradient gradient) {
    List<Parameter> parameters = gradient.parameters();
    List<NDArray> weights = masters(parameters).arrays();
    for (int k = 0; k < weights.size(); k++) {
      // A copy: the gradient is the engine's, and an optimizer may write to what it is given.
      try (NDArray own = gradient.gradients().get(k).duplicate()) {
        optimizer.update(parameters.get(k).getId(), weights.get(k), own);
      }
    }
    masters(parameters).publish();
  }

  /** True: a DJL optimizer is given copies. */
  @Override
  public boolean copiesGradients() {
    return true;
  }

  private MasterWeights masters(List<Parameter> parameters) {
    List<NDArray> weights = parameters.stream().map(Parameter::getArray).toList();
    MasterWeights current = masters;
    if (current == null || !current.standFor(weights)) {
      close();
      NDManager own = weights.get(0).getManager().newSubManager();
      manager = own;
      current = MasterWeights.of(own, weights);
      masters = current;
    }
    return current;
  }

  @Override
  public OptimizerState state() {
    throw stateIsHidden();
  }

  @Override
  public void restore(OptimizerState state) {
    throw stateIsHidden();
  }

  private UnsupportedOperationException stateIsHidden() {
    return new UnsupportedOperationException(
        "optimizer must hand out its state to be saved, got "
            + optimizer.getClass().getName()
            + ", a DJL optimizer whose state cannot be read; use an optimizer of fastdp-optim"
            + " (DpSgd, DpAdam and DpAdamW are the equals of DJL's)");
  }

  @Override
  public void close() {
    if (manager != null) {
      manager.close();
    }
    manager = null;
    masters = null;
  }
}
