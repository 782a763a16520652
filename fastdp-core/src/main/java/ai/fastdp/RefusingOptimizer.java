/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.NDArray;
import ai.djl.training.optimizer.Optimizer;

/** Stands where DJL would apply raw gradients. */
final class RefusingOptimizer extends Optimizer {
  RefusingOptimizer() {
    super(new RefusingBuilder());
  }

  @Override
  public void update(String parameterId, NDArray weight, NDArray gradient) {
    throw new IllegalStateException(
        "weights must be updated from privatized gradients only, got a raw gradient");
  }

  private static final class RefusingBuilder extends OptimizerBuilder<RefusingBuilder> {
    @Override
    protected RefusingBuilder self() {
      return this;
    }
  }
}
