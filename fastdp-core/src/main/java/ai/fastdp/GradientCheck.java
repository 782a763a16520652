/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.fastdp.ghost.PerSampleGradients;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Optional;

/**
 * Checks that the engine's per-sample gradients equal ordinary back-propagation of the sample's
 * loss, parameter by parameter.
 *
 * <p>Both come from the graph of one forward pass in training mode, so that no rounding can put a
 * unit on the other side of its threshold, and dropout drops the same. Where the trained graph is
 * cut, the same gradients are taken of a second, cut pass, and compared if its losses are those of
 * the first.
 */
final class GradientCheck {
  // Losses of two passes over the same samples that dropped the same.
  private static final double SAME = 1e-6;
  private static final int CUT_TRIALS = 3;

  private final BookKeeper bookKeeper;
  private final TrainableParameters trainable;
  private final PerSampleLoss loss;
  private final double tolerance;

  GradientCheck(
      BookKeeper bookKeeper, TrainableParameters trainable, PerSampleLoss loss, double tolerance) {
    this.bookKeeper = bookKeeper;
    this.trainable = trainable;
    this.loss = loss;
    this.tolerance = tolerance;
  }

  /**
   * Runs the check on all samples of a small batch.
   *
   * @throws IllegalStateException if it fails
   */
  void run(NDManager parent, NDList data, NDList labels) {
    Optional<IllegalStateException> wrong = Optional.empty();
    for (int i = 0; i < CUT_TRIALS; i++) {
      wrong = compare(parent, data, labels);
      if (wrong.isEmpty()) {
        return;
      }
    }
    throw wrong.get();
  }

  /** What is wrong with the gradients on a cut graph; an error of a rule is thrown at once. */
  private Optional<IllegalStateException> compare(NDManager parent, NDList data, NDList labels) {
    try (NDManager manager = parent.newSubManager();
        BookKeeper.Pass whole = forward(manager, data, labels, false, true)) {
      NDArray losses = loss.evaluate(labels, whole.outputs());
      whole.requirePerSample(losses);
      double[] values = LossRun.numbers(losses);
      List<Expected> expected = new ArrayList<>();
      for (int sample = 0; sample < values.length; sample++) {
        expected.add(expected(manager, losses, sample));
      }
      PerSampleGradients gradients = whole.gradients(losses);
      requireEqual(gradients, expected, "")
          .ifPresent(
              e -> {
                throw e;
              });
      return bookKeeper.cutPaths().isEmpty()
          ? Optional.empty()
          : compareCut(manager, data, labels, values, expected);
    }
  }

  private Optional<IllegalStateException> compareCut(
      NDManager manager, NDList data, NDList labels, double[] values, List<Expected> expected) {
    try (BookKeeper.Pass cut = forward(manager, data, labels, true, false)) {
      NDArray losses = loss.evaluate(labels, cut.outputs());
      double[] now = LossRun.numbers(losses);
      for (int sample = 0; sample < now.length; sample++) {
        if (Tolerance.difference(values[sample], now[sample]) > SAME) {
          return Optional.empty();
        }
      }
      return requireEqual(cut.gradients(losses), expected, " on a cut graph");
    }
  }

  private BookKeeper.Pass forward(
      NDManager manager, NDList data, NDList labels, boolean cutting, boolean inGraph) {
    return bookKeeper.forward(
        manager,
        data,
        labels,
        cutting,
        new BookKeeper.Parameters(Parameter::getArray, inGraph),
        (store, d, l) -> bookKeeper.model().getBlock().forward(store, d, l, null));
  }

  /** The gradient of one sample's loss by parameter, and its norm. */
  private record Expected(IdentityHashMap<Parameter, NDArray> gradients, double norm) {}

  private Expected expected(NDManager manager, NDArray losses, int sample) {
    List<Parameter> parameters = trainable.parameters();
    List<NDArray> arrays = parameters.stream().map(Parameter::getArray).toList();
    NDList found =
        bookKeeper
            .kernels()
            .run(manager, "parameter_gradients", bookKeeper.scaled(losses), (long) sample, arrays);
    IdentityHashMap<Parameter, NDArray> gradients = new IdentityHashMap<>();
    double square = 0;
    for (int k = 0; k < parameters.size(); k++) {
      NDArray wide = found.get(k).toType(DataType.FLOAT32, false);
      NDArray unscaled =
          bookKeeper.lossScale() == 1 ? wide : wide.div((float) bookKeeper.lossScale());
      gradients.put(parameters.get(k), unscaled);
      square += unscaled.size() == 0 ? 0 : Math.pow(norm(unscaled), 2);
    }
    return new Expected(gradients, Math.sqrt(square));
  }

  private Optional<IllegalStateException> requireEqual(
      PerSampleGradients gradients, List<Expected> expected, String where) {
    double[] squared = gradients.squaredNorms().sum(new int[] {0}).toDoubleArray();
    for (int sample = 0; sample < expected.size(); sample++) {
      Expected wanted = expected.get(sample);
      if (!Double.isFinite(wanted.norm())) {
        continue;
      }
      Optional<IllegalStateException> wrong =
          requireEqual(gradients, sample, expected.size(), wanted, where);
      if (wrong.isPresent()) {
        return wrong;
      }
      double norm = Math.sqrt(squared[sample]);
      if (!(Math.abs(norm - wanted.norm()) <= tolerance * Math.max(wanted.norm(), 1e-12))) {
        return Optional.of(
            new IllegalStateException(
                "the per-sample gradient norm must equal that of back-propagation on a batch of"
                    + " one"
                    + where
                    + ", got a relative difference above "
                    + tolerance
                    + "; a layer is used in a way that its rule does not cover"));
      }
    }
    return Optional.empty();
  }

  private Optional<IllegalStateException> requireEqual(
      PerSampleGradients gradients, int sample, int batchSize, Expected wanted, String where) {
    List<Parameter> parameters = gradients.parameters();
    try (NDManager manager = gradients.squaredNorms().getManager().newSubManager()) {
      NDList actual = new NDList();
      parameters.forEach(p -> actual.add(manager.zeros(p.getShape(), DataType.FLOAT32)));
      NDArray selected = manager.zeros(new Shape(parameters.size(), batchSize), DataType.FLOAT32);
      selected.set(new NDIndex().addAllDim().addIndices(sample), 1f);
      gradients.addWeightedSums(
          selected, manager.ones(new Shape(batchSize), DataType.BOOLEAN), new ArrayList<>(actual));
      for (int k = 0; k < parameters.size(); k++) {
        NDArray gradient = wanted.gradients().get(parameters.get(k));
        NDArray difference = actual.get(k);
        double size = 0;
        if (gradient != null && gradient.size() > 0) {
          difference.subi(gradient);
          size = norm(gradient);
        }
        if (!(norm(difference) <= tolerance * Math.max(size, 0.05 * wanted.norm()))) {
          return Optional.of(
              new IllegalStateException(
                  "the per-sample gradient of parameter '"
                      + trainable.paths().get(trainable.number(parameters.get(k)))
                      + "' "
                      + parameters.get(k).getShape()
                      + " must equal back-propagation on a batch of one"
                      + where
                      + ", got a relative difference above "
                      + tolerance
                      + "; the layer is used in a way that its rule does not cover"));
        }
      }
      return Optional.empty();
    }
  }

  /** In float64, which takes four times the array's memory for a moment. */
  private static double norm(NDArray array) {
    try (NDArray wide = array.toType(DataType.FLOAT64, true);
        NDArray squares = wide.mul(wide);
        NDArray sum = squares.sum()) {
      return Math.sqrt(sum.getDouble());
    }
  }
}
