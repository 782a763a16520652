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
import ai.djl.nn.ParallelBlock;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.training.ParameterStore;
import ai.fastdp.ghost.PerSampleGradients;
import ai.fastdp.hook.ForwardMethod;
import ai.fastdp.hook.ForwardRecorder;
import ai.fastdp.hook.SampleAxis;
import ai.fastdp.kernel.FloatType;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;

/**
 * Checks the engine against the user's own model on the user's own first batch, before the first
 * update.
 *
 * <ul>
 *   <li>No sample's loss moves with another sample's activations or inputs: those derivatives are
 *       exactly zero, in training mode.
 *   <li>A sample's loss is the same alone as in the batch.
 *   <li>The engine's gradient of a sample equals that of ordinary back-propagation on a batch of
 *       one, parameter by parameter.
 * </ul>
 *
 * <p>The last two compare two forward passes and run the model in inference mode, where dropout is
 * off, unless the model reads its labels.
 */
final class SelfCheck {
  // Enough to mix up; the first and the last of them are compared.
  private static final long BATCH = 3;
  // Float32 through a deep model agrees to 1e-5; reduced-precision matrix units to 1e-3.
  private static final double TOLERANCE = 5e-3;
  // Units in the last place of 11 and 8 bits, times what a deep model makes of them.
  private static final double FLOAT16_TOLERANCE = 3e-2;
  private static final double BFLOAT16_TOLERANCE = 0.2;

  private final BookKeeper bookKeeper;
  private final TrainableParameters trainable;
  private final PerSampleLoss loss;
  private final double tolerance;

  SelfCheck(BookKeeper bookKeeper, TrainableParameters trainable, PerSampleLoss loss) {
    this.bookKeeper = bookKeeper;
    this.trainable = trainable;
    this.loss = loss;
    tolerance = tolerance(bookKeeper);
  }

  /** What the widest rounding among the model's parameters allows. */
  private static double tolerance(BookKeeper bookKeeper) {
    double widest = TOLERANCE;
    for (Parameter parameter : bookKeeper.model().getBlock().getParameters().values()) {
      if (parameter.isInitialized()) {
        FloatType type =
            FloatType.of(bookKeeper.kernels(), parameter.getArray()).orElse(FloatType.FLOAT32);
        widest =
            Math.max(
                widest,
                switch (type) {
                  case FLOAT32 -> TOLERANCE;
                  case FLOAT16 -> FLOAT16_TOLERANCE;
                  case BFLOAT16 -> BFLOAT16_TOLERANCE;
                });
      }
    }
    return widest;
  }

  /**
   * Runs the check.
   *
   * @return whether the batch had the two samples that independence needs
   * @throws IllegalStateException if the model or the loss fails it
   */
  boolean run(NDList data, NDList labels) {
    long batchSize = Math.min(BATCH, bookKeeper.samples(data));
    long[] samples = LongStream.of(0, batchSize - 1).distinct().toArray();
    try (NDManager manager = data.head().getManager().newSubManager()) {
      NDList some = samples(data, dataAxis(), 0, batchSize, manager);
      NDList someLabels = samples(labels, labelAxis(), 0, batchSize, manager);
      if (batchSize > 1) {
        requireIndependence(manager, some, someLabels, samples);
      }
      requireExactGradients(manager, some, someLabels, samples);
    }
    return batchSize > 1;
  }

  private void requireIndependence(NDManager manager, NDList data, NDList labels, long[] samples) {
    List<NDArray> watched = new ArrayList<>();
    try (BookKeeper.Pass pass =
        bookKeeper.forward(
            manager,
            data,
            labels,
            false,
            (store, d, l) -> block().forward(store, watchedInputs(d, watched), l, null))) {
      NDArray losses = loss.evaluate(labels, pass.outputs());
      pass.requirePerSample(losses);
      if (pass.records().isEmpty()) {
        return;
      }
      int layers = pass.records().size();
      watched.addAll(0, pass.layerOutputs());
      for (long sample : samples) {
        long[] influenced =
            bookKeeper
                .kernels()
                .run(manager, "foreign_influence", losses, sample, watched)
                .head()
                .toLongArray();
        for (int i = 0; i < influenced.length; i++) {
          if (influenced[i] != 0 && i >= layers) {
            throw new IllegalStateException(
                "samples must not influence each other's losses, got a loss that depends on another"
                    + " sample's input "
                    + watched.get(i).getShape()
                    + "; remove what mixes the batch axis before the first trainable layer");
          }
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

  /** Inputs that the model may change in place, in the graph from {@code watched} on. */
  private NDList watchedInputs(NDList data, List<NDArray> watched) {
    NDList inputs = new NDList();
    for (NDArray array : data) {
      if (!FloatType.isFloat(array)) {
        inputs.add(array);
        continue;
      }
      array.setRequiresGradient(true);
      NDArray samplesFirst = dataAxis().toFirst(array);
      watched.add(samplesFirst);
      NDArray copy = dataAxis().fromFirst(samplesFirst).mul(1);
      copy.setName(array.getName());
      inputs.add(copy);
    }
    return inputs;
  }

  private void requireExactGradients(
      NDManager manager, NDList data, NDList labels, long[] samples) {
    boolean readsLabels = readsLabels(block());
    try (BookKeeper.Pass pass =
        bookKeeper.forward(
            manager, data, labels, true, (store, d, l) -> run(store, d, l, readsLabels))) {
      NDArray losses = loss.evaluate(labels, pass.outputs());
      pass.requirePerSample(losses);
      double[] lossesInBatch = losses.toType(DataType.FLOAT64, false).toDoubleArray();
      PerSampleGradients gradients = pass.gradients(losses);
      pass.requireAllReached(gradients);
      for (long sample : samples) {
        try (NDManager scope = manager.newSubManager()) {
          compare(scope, gradients, data, labels, readsLabels, sample, lossesInBatch);
        }
      }
    }
  }

  private void compare(
      NDManager manager,
      PerSampleGradients gradients,
      NDList data,
      NDList labels,
      boolean readsLabels,
      long sample,
      double[] lossesInBatch) {
    NDList one = samples(data, dataAxis(), sample, sample + 1, manager);
    NDList oneLabel = samples(labels, labelAxis(), sample, sample + 1, manager);
    Views views = bookKeeper.views();
    NDList outputs = runAlone(manager, views.fold(one), views.repeat(oneLabel), readsLabels);
    NDArray alone = loss.evaluate(oneLabel, outputs);
    double lossAlone = alone.toType(DataType.FLOAT64, false).sum().getDouble();
    double lossInBatch = lossesInBatch[Math.toIntExact(sample)];
    if (!(Math.abs(lossAlone - lossInBatch) <= tolerance * Math.max(1e-3, Math.abs(lossAlone)))
        && Double.isFinite(lossAlone)) {
      throw new IllegalStateException(
          "a sample's loss must not depend on the rest of its batch, got another value alone; remove"
              + " what mixes the batch axis in the model or the loss, and randomness that stays on"
              + " in inference mode");
    }
    List<Parameter> parameters = gradients.parameters();
    List<NDArray> arrays = parameters.stream().map(Parameter::getArray).toList();
    NDList expected = new NDList();
    bookKeeper
        .kernels()
        .run(manager, "parameter_gradients", bookKeeper.scaled(alone), arrays)
        .forEach(
            gradient -> {
              NDArray wide = gradient.toType(DataType.FLOAT32, false);
              expected.add(
                  bookKeeper.lossScale() == 1 ? wide : wide.div((float) bookKeeper.lossScale()));
            });

    NDList actual = new NDList();
    parameters.forEach(p -> actual.add(manager.zeros(p.getShape(), DataType.FLOAT32)));
    long batchSize = lossesInBatch.length;
    NDArray selected = manager.zeros(new Shape(parameters.size(), batchSize), DataType.FLOAT32);
    selected.set(new NDIndex().addAllDim().addIndices(sample), 1f);
    gradients.addWeightedSums(
        selected, manager.ones(new Shape(batchSize), DataType.BOOLEAN), new ArrayList<>(actual));

    double[] norms = new double[parameters.size()];
    double whole = 0;
    for (int k = 0; k < norms.length; k++) {
      norms[k] = expected.get(k).size() == 0 ? 0 : norm(expected.get(k));
      whole += norms[k] * norms[k];
    }
    double floor = 0.05 * Math.sqrt(whole);
    for (int k = 0; k < norms.length; k++) {
      NDArray wanted = expected.get(k);
      NDArray difference = actual.get(k);
      if (wanted.size() > 0) {
        difference.subi(wanted);
      }
      double error = norm(difference);
      if (!(error <= tolerance * Math.max(norms[k], floor)) && Double.isFinite(whole)) {
        throw new IllegalStateException(
            "the per-sample gradient of parameter '"
                + trainable.paths().get(trainable.number(parameters.get(k)))
                + "' "
                + parameters.get(k).getShape()
                + " must equal back-propagation on a batch of one, got a relative difference above "
                + tolerance
                + "; the layer is used in a way that its rule does not cover");
      }
    }
    requireNorms(gradients, sample, Math.sqrt(whole));
  }

  private void requireNorms(PerSampleGradients gradients, long sample, double expected) {
    NDArray squared = gradients.squaredNorms().sum(new int[] {0});
    double actual = Math.sqrt(squared.toDoubleArray()[Math.toIntExact(sample)]);
    if (!(Math.abs(actual - expected) <= tolerance * Math.max(expected, 1e-12))
        && Double.isFinite(expected)) {
      throw new IllegalStateException(
          "the per-sample gradient norm must equal that of back-propagation on a batch of one, got a"
              + " relative difference above "
              + tolerance
              + "; a layer is used in a way that its rule does not cover");
    }
  }

  private NDList run(ParameterStore store, NDList data, NDList labels, boolean readsLabels) {
    return readsLabels
        ? block().forward(store, data, labels, null)
        : block().forward(store, data, false, null);
  }

  @SuppressWarnings("try") // Graphs are kept while it is open.
  private NDList runAlone(NDManager manager, NDList data, NDList labels, boolean readsLabels) {
    try (ForwardRecorder.GraphKeeping ignored = bookKeeper.keepGraphs()) {
      return run(new ParameterStore(manager, false), data, labels, readsLabels);
    }
  }

  private SampleAxis dataAxis() {
    return bookKeeper.axes().data();
  }

  private SampleAxis labelAxis() {
    return bookKeeper.axes().labels();
  }

  private Block block() {
    return bookKeeper.model().getBlock();
  }

  /** In float64, which takes four times the array's memory for a moment. */
  private static double norm(NDArray array) {
    try (NDArray wide = array.toType(DataType.FLOAT64, true);
        NDArray squares = wide.mul(wide);
        NDArray sum = squares.sum()) {
      return Math.sqrt(sum.getDouble());
    }
  }

  private static NDList samples(
      NDList list, SampleAxis axis, long from, long to, NDManager manager) {
    NDList part = new NDList();
    for (NDArray array : list) {
      NDArray rows = axis.slice(array, from, to);
      rows.attach(manager);
      part.add(rows);
    }
    return part;
  }

  /**
   * Whether a block's training pass takes the labels, as a teacher-forced decoder's does. DJL's
   * containers hand them on, to blocks that may.
   */
  private boolean readsLabels(Block block) {
    Block original = bookKeeper.original(block);
    if (!(original instanceof AbstractBaseBlock)) {
      return false;
    }
    Class<?> declaring = ForwardMethod.withLabels(original.getClass()).getDeclaringClass();
    if (declaring == SequentialBlock.class || declaring == ParallelBlock.class) {
      return original.getChildren().values().stream().anyMatch(this::readsLabels);
    }
    return declaring != AbstractBaseBlock.class;
  }
}
