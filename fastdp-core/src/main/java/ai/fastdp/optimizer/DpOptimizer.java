/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optimizer;

import ai.djl.training.optimizer.Optimizer;
import ai.fastdp.mechanism.PrivatizedGradient;
import java.util.OptionalDouble;

/**
 * Updates weights from privatized gradients.
 *
 * <p>It is not a DJL {@code Optimizer}: that one's {@code update} takes any array, and a raw
 * gradient passed to it would train without privacy.
 */
public interface DpOptimizer extends AutoCloseable {
  /**
   * Lets a DJL optimizer, one of DJL's or of your own, take privatized gradients.
   *
   * <p>Its {@code update} is called once for each parameter with {@code Parameter.getId()}, the
   * weights and a copy of the privatized gradient, so that its learning-rate trackers, weight
   * decay, gradient clipping and rescaling do what they do in DJL. The gradient is divided by the
   * expected batch size already: a {@code rescaleGrad} of one over the batch size would divide it
   * again. Weights that are not float32 are updated through float32 master copies.
   *
   * <p>The optimizers of {@code fastdp-optim} update all parameters in one call and hand out their
   * state; DJL's keep theirs to themselves, so that {@link #state()} is an error here.
   *
   * @param optimizer the DJL optimizer; use it for nothing else
   * @return an optimizer that calls it
   * @throws IllegalArgumentException if DJL has no implementation of it for its PyTorch engine
   */
  static DpOptimizer wrap(Optimizer optimizer) {
    return new WrappedOptimizer(optimizer);
  }

  /**
   * Updates every parameter once.
   *
   * @param gradient the privatized gradient of one logical step; it can be read until this returns
   */
  void update(PrivatizedGradient gradient);

  /**
   * Whether {@link #update} keeps no view of the gradient's arrays, but copies what it remembers.
   *
   * <p>The engine collects the next step's raw sum in the same memory then. Where this is false,
   * the default, it takes new memory after every update, so that a view that was kept, as of an
   * optimizer whose momentum is the first gradient itself, never shows a raw sum.
   *
   * @return true if no view is kept
   */
  default boolean copiesGradients() {
    return false;
  }

  /**
   * The learning rate of the latest update, for reports.
   *
   * @return the rate, or nothing before the first update and where the optimizer does not tell
   */
  default OptionalDouble learningRate() {
    return OptionalDouble.empty();
  }

  /**
   * What a checkpoint needs to continue bit for bit.
   *
   * @return the state; its arrays belong to the optimizer and hold until the next call of {@code
   *     update}, {@code restore} or {@code close}
   * @throws UnsupportedOperationException if this optimizer does not hand out its state
   */
  default OptimizerState state() {
    throw new UnsupportedOperationException(
        "optimizer must hand out its state to be saved, got "
            + getClass().getName()
            + ", which does not; implement state() and restore(state)");
  }

  /**
   * Takes a state back; the next update continues from it. The arrays are copied.
   *
   * @param state what {@link #state()} of an optimizer with the same settings returned
   * @throws IllegalArgumentException if the state is not of this kind or lacks a part; nothing is
   *     changed
   * @throws UnsupportedOperationException if this optimizer cannot take a state back
   */
  default void restore(OptimizerState state) {
    throw new UnsupportedOperationException(
        "optimizer must take its state back to continue, got "
            + getClass().getName()
            + ", which does not; implement state() and restore(state)");
  }

  /** Releases the optimizer's state. */
  @Override
  void close();
}
