/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBaseBlock;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.fastdp.ghost.PerSampleGradients;
import ai.fastdp.hook.ForwardMethod;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.LongStream;

/**
 * Checks the engine against the user's own model on the user's own first batch, before the first
 * update.
 *
 * <ul>
 *   <li>No sample's loss moves with another sample's activations: those derivatives are exactly
 *       zero, in training mode.
 *   <li>A sample's loss is the same alone as in the batch.
 *   <li>The engine's gradient of a sample equals that of ordinary back-propagation on a batch of
 *       one, parameter by parameter.
 * </ul>
 *
 * <p>The last two compare two forward passes and run the model in inference mode, where dropout is
 * off, unless the model reads its labels.
 */
final class SelfCheck {
  private static final int SAMPLES = 2;
  // Float32 through a deep model agrees to 1e-5; reduced-precision matrix units to 1e-3.
  private static final double TOLERANCE = 5e-3;

  private final BookKeeper bookKeeper;
  private final TrainableParameters trainable;
  private final PerSampleLoss loss;

  SelfCheck(BookKeeper bookKeeper, TrainableParameters trainable, PerSampleLoss loss) {
    this.bookKeeper = bookKeeper;
    this.trainable = trainable;
    this.loss = loss;
  }

  /**
   * Runs the check.
   *
   * @return whether the batch had the two samples that independence needs
   * @throws IllegalStateException if the model or the loss fails it
   */
  boolean run(NDList data, NDList labels) {
    long batchSize = data.head().getShape().get(0);
    long[] samples = LongStream.of(0, batchSize - 1).distinct().limit(SAMPLES).toArray();
    if (batchSize > 1) {
      requireIndependence(data, labels, batchSize, samples);
    }
    requireExactGradients(data, labels, batchSize, samples);
    return batchSize > 1;
  }

  private void requireIndependence(NDList data, NDList labels, long batchSize, long[] samples) {
    try (NDManager manager = newManager(data)) {
      NDList own = aliases(data, manager);
      NDList ownLabels = aliases(labels, manager);
      BookKeeper.Pass pass =
          bookKeeper.forward(
              manager, batchSize, store -> block().forward(store, own, ownLabels, null));
      NDArray losses = loss.evaluate(ownLabels, pass.outputs());
      pass.requirePerSample(losses);
      if (pass.records().isEmpty()) {
        return;
      }
      for (long sample : samples) {
        long[] influenced =
            bookKeeper
                .kernels()
                .run(manager, "foreign_influence", losses, sample, pass.layerOutputs())
                .head()
                .toLongArray();
        for (int i = 0; i < influenced.length; i++) {
          if (influenced[i] != 0) {
            throw new IllegalStateException(
                "samples must not influence each other's losses, got a loss that depends on another"
                    + " sample's output of layer '"
                    + pass.records().get(i).path()
                    + "' "
                    + pass.records().get(i).output().getShape()
                    + "; remove what mixes the batch axis after it (batch statistics, means over"
                    + " the batch, a loss that averages or broadcasts)");
          }
        }
      }
    }
  }

  private void requireExactGradients(NDList data, NDList labels, long batchSize, long[] samples) {
    try (NDManager manager = newManager(data)) {
      NDList own = aliases(data, manager);
      NDList ownLabels = aliases(labels, manager);
      boolean readsLabels = readsLabels(block());
      BookKeeper.Pass pass =
          bookKeeper.forward(manager, batchSize, store -> run(store, own, ownLabels, readsLabels));
      NDArray losses = loss.evaluate(ownLabels, pass.outputs());
      PerSampleGradients gradients = pass.gradients(losses);
      pass.requireAllReached(gradients);
      double[] lossesInBatch = losses.toType(DataType.FLOAT64, false).toDoubleArray();
      for (long sample : samples) {
        compare(manager, gradients, own, ownLabels, readsLabels, batchSize, sample, lossesInBatch);
      }
    }
  }

  private void compare(
      NDManager manager,
      PerSampleGradients gradients,
      NDList data,
      NDList labels,
      boolean readsLabels,
      long batchSize,
      long sample,
      double[] lossesInBatch) {
    NDList oneLabel = sample(labels, sample);
    NDList outputs =
        run(new ParameterStore(manager, false), sample(data, sample), oneLabel, readsLabels);
    NDArray alone = loss.evaluate(oneLabel, outputs);
    double lossAlone = alone.toType(DataType.FLOAT64, false).sum().getDouble();
    double lossInBatch = lossesInBatch[Math.toIntExact(sample)];
    if (!(Math.abs(lossAlone - lossInBatch) <= TOLERANCE * Math.max(1e-3, Math.abs(lossAlone)))
        && Double.isFinite(lossAlone)) {
      throw new IllegalStateException(
          "a sample's loss must not depend on the rest of its batch, got another value alone; remove"
              + " what mixes the batch axis in the model or the loss, and randomness that stays on"
              + " in inference mode");
    }
    List<Parameter> parameters = gradients.parameters();
    List<NDArray> arrays = parameters.stream().map(Parameter::getArray).toList();
    NDList expected = bookKeeper.kernels().run(manager, "parameter_gradients", alone, arrays);

    NDList actual = new NDList();
    parameters.forEach(p -> actual.add(manager.zeros(p.getShape(), DataType.FLOAT32)));
    NDArray one = manager.zeros(new Shape(parameters.size(), batchSize), DataType.FLOAT32);
    one.set(new NDIndex().addAllDim().addIndices(sample), 1f);
    gradients.addWeightedSums(
        one, manager.ones(new Shape(batchSize), DataType.BOOLEAN), new ArrayList<>(actual));

    double[] norms = new double[parameters.size()];
    double whole = 0;
    for (int k = 0; k < norms.length; k++) {
      norms[k] = expected.get(k).size() == 0 ? 0 : norm(expected.get(k));
      whole += norms[k] * norms[k];
    }
    double floor = 0.05 * Math.sqrt(whole);
    for (int k = 0; k < norms.length; k++) {
      NDArray wanted = expected.get(k);
      double error = wanted.size() == 0 ? norm(actual.get(k)) : norm(actual.get(k).sub(wanted));
      if (error > TOLERANCE * Math.max(norms[k], floor) && Double.isFinite(whole)) {
        throw new IllegalStateException(
            "the per-sample gradient of parameter '"
                + trainable.paths().get(trainable.number(parameters.get(k)))
                + "' "
                + parameters.get(k).getShape()
                + " must equal back-propagation on a batch of one, got a relative difference above "
                + TOLERANCE
                + "; the layer is used in a way that its rule does not cover");
      }
    }
    requireNorms(gradients, sample, Math.sqrt(whole));
  }

  private static void requireNorms(PerSampleGradients gradients, long sample, double expected) {
    NDArray squared = gradients.squaredNorms().sum(new int[] {0});
    double actual = Math.sqrt(squared.toDoubleArray()[Math.toIntExact(sample)]);
    if (Math.abs(actual - expected) > TOLERANCE * Math.max(expected, 1e-12)
        && Double.isFinite(expected)) {
      throw new IllegalStateException(
          "the per-sample gradient norm must equal that of back-propagation on a batch of one, got a"
              + " relative difference above "
              + TOLERANCE
              + "; a layer is used in a way that its rule does not cover");
    }
  }

  private NDList run(ParameterStore store, NDList data, NDList labels, boolean readsLabels) {
    return readsLabels
        ? block().forward(store, data, labels, null)
        : block().forward(store, data, false, null);
  }

  private Block block() {
    return bookKeeper.model().getBlock();
  }

  private static double norm(NDArray array) {
    NDArray wide = array.toType(DataType.FLOAT64, false);
    return Math.sqrt(wide.mul(wide).sum().getDouble());
  }

  private static NDManager newManager(NDList data) {
    return data.head().getManager().newSubManager();
  }

  private static NDList aliases(NDList list, NDManager manager) {
    return map(
        list,
        array -> {
          NDArray alias = array.stopGradient();
          alias.attach(manager);
          alias.setName(array.getName());
          return alias;
        });
  }

  private static NDList sample(NDList list, long sample) {
    return map(list, array -> array.get(new NDIndex().addSliceDim(sample, sample + 1)));
  }

  private static NDList map(NDList list, Function<NDArray, NDArray> function) {
    NDList mapped = new NDList();
    list.forEach(array -> mapped.add(function.apply(array)));
    return mapped;
  }

  /** Whether a block's training pass takes the labels, as a teacher-forced decoder's does. */
  private static boolean readsLabels(Block block) {
    return block instanceof AbstractBaseBlock
        && ForwardMethod.withLabels(block.getClass()).getDeclaringClass()
            != AbstractBaseBlock.class;
  }
}
