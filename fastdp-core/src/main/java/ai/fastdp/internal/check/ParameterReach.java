/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.check;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.fastdp.internal.kernel.FloatType;
import ai.fastdp.internal.pass.BookKeeper;
import ai.fastdp.internal.pass.TrainableParameters;
import ai.fastdp.loss.PerSampleLoss;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;

/**
 * Checks that every trainable parameter takes part in the loss in some pass.
 *
 * <p>Layers that are left out at random, experts and branches are not in every pass. If one is
 * missing, the batch is tried again, and then with inputs and parameters moved far, so that other
 * choices are made.
 */
final class ParameterReach {
  private static final int TRIALS = 32;
  private static final double FAR = 3;

  private final BookKeeper bookKeeper;
  private final TrainableParameters trainable;
  private final PerSampleLoss loss;
  private final LossRun runs;

  ParameterReach(BookKeeper bookKeeper, TrainableParameters trainable, PerSampleLoss loss) {
    this.bookKeeper = bookKeeper;
    this.trainable = trainable;
    this.loss = loss;
    runs = new LossRun(bookKeeper, loss);
  }

  /**
   * Runs the check.
   *
   * @throws IllegalStateException naming the parameters without a path to the loss
   */
  void run(NDManager parent, NDList data, NDList labels) {
    Set<Parameter> reached = Collections.newSetFromMap(new IdentityHashMap<>());
    for (int i = 0; i < TRIALS && !reached.containsAll(trainable.parameters()); i++) {
      double moved = i % 2 == 0 ? 0 : FAR;
      if (i == 0) {
        pass(parent, data, labels, moved, reached);
      } else {
        LossRun.attempt(() -> pass(parent, data, labels, moved, reached));
      }
    }
    trainable.requireAllIn(reached);
  }

  private Set<Parameter> pass(
      NDManager parent, NDList data, NDList labels, double moved, Set<Parameter> reached) {
    try (NDManager manager = parent.newSubManager()) {
      NDList inputs = runs.fresh(data, manager);
      NDList ownLabels = runs.fresh(labels, manager);
      BookKeeper.Parameters parameters = BookKeeper.Parameters.OWN;
      if (moved > 0) {
        inputs.stream().filter(FloatType::isFloat).forEach(array -> move(array, moved));
        parameters =
            new BookKeeper.Parameters(
                Arithmetic.inGraph(manager, false, moved, trainable.asSet()).parameters().values(),
                false);
      }
      try (BookKeeper.Pass pass =
          bookKeeper.forward(
              manager,
              inputs,
              ownLabels,
              false,
              parameters,
              (store, d, l) -> bookKeeper.model().getBlock().forward(store, d, l, null))) {
        reached.addAll(pass.gradients(loss.evaluate(ownLabels, pass.outputs())).parameters());
      }
      return reached;
    }
  }

  private static void move(NDArray array, double size) {
    NDManager manager = array.getManager();
    NDArray noise = manager.randomNormal(array.getShape()).toDevice(array.getDevice(), false);
    NDArray typical = array.abs().mean().mul(size);
    array.addi(noise.toType(array.getDataType(), false).mul(typical));
  }
}
