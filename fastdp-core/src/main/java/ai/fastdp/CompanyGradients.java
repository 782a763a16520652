/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.fastdp.LossRun.Mode;
import ai.fastdp.kernel.GraphKernels;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.LongStream;

/**
 * Checks by values that the samples' gradients are the same in whatever company.
 *
 * <p>Behind a layer of zeros, neither a loss nor a derivative shows what mixes the batch; the
 * gradient of that layer does, which holds the mixed activations. The gradient of a sum of all
 * losses with random weights is taken in the pass of the whole batch, and compared with the sum of
 * the gradients that random parts of the batch have in passes of their own. Weights are in inverse
 * proportion to the norms of the samples' gradients, so that a large one hides no small one.
 *
 * <p>A doubtful difference is looked at in float64, and must come again with parameters moved a
 * little and other parts. What rounding can do is measured by moving the parameters by rounding's
 * size.
 */
final class CompanyGradients {
  private static final int REPEATS = 4;
  // Float32, against norms that no single sample dominates.
  private static final double UNDOUBTED = 1e-5;
  private static final double MOVED = 1e-3;
  private static final double MOST_UNEQUAL = 1e6;
  private static final double ROUNDING = 1e-6;
  private static final double WIDE_ROUNDING = 1e-14;
  private static final double SAFETY = 100;

  private final BookKeeper bookKeeper;
  private final TrainableParameters trainable;
  private final PerSampleLoss loss;
  private final LossRun runs;
  private final OrdinaryGradients ordinary;
  private final SecureRandom random;
  private final double tolerance;

  CompanyGradients(
      BookKeeper bookKeeper,
      TrainableParameters trainable,
      PerSampleLoss loss,
      SecureRandom random,
      double tolerance) {
    this.bookKeeper = bookKeeper;
    this.trainable = trainable;
    this.loss = loss;
    this.random = random;
    this.tolerance = tolerance;
    runs = new LossRun(bookKeeper, loss);
    ordinary = new OrdinaryGradients(bookKeeper);
  }

  /**
   * Runs the check on all samples of a batch whose gradients are finite.
   *
   * @param mode one in which losses are not random
   * @throws IllegalStateException if it fails
   */
  void run(NDManager parent, NDList data, NDList labels, Mode mode) {
    try (NDManager manager = parent.newSubManager()) {
      double[] norms = norms(manager, data, labels, mode);
      long[] finite =
          LongStream.range(0, norms.length)
              .filter(i -> Double.isFinite(norms[Math.toIntExact(i)]))
              .toArray();
      if (finite.length < 2) {
        return;
      }
      new Trial(
              manager,
              runs.takeData(data, finite, manager),
              runs.takeLabels(labels, finite, manager),
              mode,
              Arrays.stream(finite).mapToDouble(i -> norms[Math.toIntExact(i)]).toArray())
          .run();
    }
  }

  /** The norms of the samples' gradients, by the engine; none where nothing is recorded. */
  double[] norms(NDManager manager, NDList data, NDList labels, Mode mode) {
    try (BookKeeper.Pass pass = forward(manager, data, labels, mode, BookKeeper.Parameters.OWN)) {
      NDArray losses = loss.evaluate(labels, pass.outputs());
      pass.requirePerSample(losses);
      if (pass.records().isEmpty()) {
        return new double[0];
      }
      double[] squares = pass.gradients(losses).squaredNorms().sum(new int[] {0}).toDoubleArray();
      return Arrays.stream(squares).map(Math::sqrt).toArray();
    }
  }

  private BookKeeper.Pass forward(
      NDManager manager, NDList data, NDList labels, Mode mode, BookKeeper.Parameters parameters) {
    return bookKeeper.forward(
        manager,
        runs.fresh(data, manager),
        runs.fresh(labels, manager),
        false,
        parameters,
        (store, d, l) -> mode.run(bookKeeper.model().getBlock(), store, d, l));
  }

  /** How far gradients are apart, and how far rounding may take them. */
  private record Difference(double company, double rounding, double again, boolean wide) {
    /** Whether a pass of the same batch gave another gradient: it is random. */
    boolean isUnsteady() {
      return again > 0.1 * company;
    }
  }

  /** A pass with losses that are summed with weights. */
  private final class Sums implements AutoCloseable {
    private final NDManager manager;
    private final BookKeeper.Pass pass;
    private final NDArray losses;
    private final List<NDArray> arrays;
    private final boolean wide;

    Sums(NDManager parent, NDList data, NDList labels, Mode mode, Arithmetic type) {
      manager = parent.newSubManager();
      NDList ownLabels = type.of(labels, manager);
      pass = forward(manager, type.of(data, manager), ownLabels, mode, type.parameters());
      losses = loss.evaluate(runs.fresh(ownLabels, manager), pass.outputs());
      pass.requirePerSample(losses);
      pass.requireUnmodified();
      wide = type.isWide() && pass.isInFloat64(losses);
      arrays = trainable.parameters().stream().map(type.parameters().values()).toList();
    }

    /** The gradient of a weighted sum of the losses. */
    NDList gradients(NDManager owner, double[] weights) {
      return ordinary.of(owner, losses, weights, arrays);
    }

    @Override
    public void close() {
      pass.close();
      manager.close();
    }
  }

  private final class Trial {
    private final NDManager parent;
    private final NDList data;
    private final NDList labels;
    private final Mode mode;
    private final double[] norms;

    Trial(NDManager parent, NDList data, NDList labels, Mode mode, double[] norms) {
      this.parent = parent;
      this.data = data;
      this.labels = labels;
      this.mode = mode;
      this.norms = norms;
    }

    void run() {
      Difference own = compare(false, 0, false);
      if (own.company() <= UNDOUBTED) {
        return;
      }
      Optional<Difference> inFloat64 =
          LossRun.attempt(() -> compare(true, 0, true)).filter(Difference::wide);
      boolean wide = inFloat64.isPresent();
      Difference found = inFloat64.orElseGet(() -> compare(false, 0, true));
      for (int i = 0; ; i++) {
        double allowed = (wide ? Tolerance.WIDE : tolerance) + SAFETY * found.rounding();
        if (found.isUnsteady() || !(found.company() > allowed)) {
          return;
        }
        if (i == REPEATS) {
          break;
        }
        found = compare(wide, MOVED, true);
      }
      throw new IllegalStateException(
          "a sample's gradient must not depend on the rest of its batch, got another one in other"
              + " company; remove what mixes the batch axis in the model or the loss (statistics,"
              + " a changed order, numbers of samples), behind layers of zeros too");
    }

    /**
     * Compares the gradient in the batch with the sum of those in random parts of it.
     *
     * @param moved by how much parameters are moved before, relative to their size
     * @param fully whether rounding and chance are measured, too
     */
    private Difference compare(boolean wide, double moved, boolean fully) {
      try (NDManager manager = parent.newSubManager()) {
        Arithmetic type = Arithmetic.inGraph(manager, wide, moved, trainable.asSet());
        NDList left;
        double[] weights;
        boolean allWide;
        try (Sums whole = new Sums(manager, data, labels, mode, type)) {
          boolean half = whole.losses.getDataType() == DataType.FLOAT16;
          weights = OrdinaryGradients.weights(norms, half ? 1 : MOST_UNEQUAL, random);
          left = whole.gradients(manager, weights);
          allWide = whole.wide;
        }
        double rounding = 0;
        double again = 0;
        if (fully) {
          double size = wide ? WIDE_ROUNDING : ROUNDING;
          again = apart(manager, left, weights, type);
          try (NDManager own = manager.newSubManager()) {
            rounding = apart(own, left, weights, type.moved(own, size, trainable.asSet()));
          }
        }
        double inBatch = ordinary.squares(manager, left, left).one();
        double inParts = 0;
        for (long[] rows : parts()) {
          try (NDManager own = manager.newSubManager();
              Sums part = sums(own, rows, type)) {
            allWide &= part.wide;
            NDList gradients = part.gradients(own, at(weights, rows));
            inParts += ordinary.squares(own, gradients, gradients).one();
            NDList rest = new GraphKernels(bookKeeper.kernels()).subtract(manager, left, gradients);
            left.close();
            left = rest;
          }
        }
        double apart = ordinary.squares(manager, left, left).one();
        double company = OrdinaryGradients.Squares.relative(apart, inBatch, inParts);
        return new Difference(company, rounding, again, allWide);
      }
    }

    private Sums sums(NDManager manager, long[] rows, Arithmetic type) {
      return new Sums(
          manager,
          runs.takeData(data, rows, manager),
          runs.takeLabels(labels, rows, manager),
          mode,
          type);
    }

    /** How far a gradient is from that of another pass of the batch. */
    private double apart(NDManager parent, NDList gradients, double[] weights, Arithmetic type) {
      try (NDManager manager = parent.newSubManager();
          Sums other = new Sums(manager, data, labels, mode, type)) {
        return ordinary.squares(manager, gradients, other.gradients(manager, weights)).distance();
      }
    }

    private static double[] at(double[] weights, long[] rows) {
      return Arrays.stream(rows).mapToDouble(row -> weights[Math.toIntExact(row)]).toArray();
    }

    private List<long[]> parts() {
      return CompanyCheck.parts(norms.length, random);
    }
  }
}
