/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.fastdp.LossRun.Mode;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * Checks by values that the samples' gradients are the same in whatever company.
 *
 * <p>Behind a layer of zeros, neither a loss nor a derivative shows what mixes the batch; the
 * gradient of that layer does, which holds the mixed activations. For random parts of the batch,
 * the gradient of a sum of the part's losses with random weights is taken in the pass of the whole
 * batch and in one of the part alone: every sample of the batch is looked at. Weights are in
 * inverse proportion to the norms of the samples' gradients, so that a large one hides no small
 * one.
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
  private static final double ROUNDING = 1e-6;
  private static final double WIDE_ROUNDING = 1e-14;
  private static final double SAFETY = 100;

  private final BookKeeper bookKeeper;
  private final TrainableParameters trainable;
  private final PerSampleLoss loss;
  private final LossRun runs;
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

  /** The norms of the samples' gradients, by the engine. */
  private double[] norms(NDManager manager, NDList data, NDList labels, Mode mode) {
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

    /** The gradients of a weighted sum, parameter by parameter, in float64. */
    NDList gradients(NDManager owner, double[] weights) {
      // DJL's change of type would leave the graph.
      NDArray own =
          owner
              .create(weights)
              .toDevice(losses.getDevice(), false)
              .toType(losses.getDataType(), false);
      NDArray sum = losses.mul(own).sum().reshape(new Shape(1));
      NDList gradients = new NDList();
      for (NDArray gradient :
          bookKeeper.kernels().run(owner, "parameter_gradients", sum, 0L, arrays)) {
        gradients.add(gradient.toType(DataType.FLOAT64, false));
      }
      return gradients;
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
    private final double smallest;

    Trial(NDManager parent, NDList data, NDList labels, Mode mode, double[] norms) {
      this.parent = parent;
      this.data = data;
      this.labels = labels;
      this.mode = mode;
      this.norms = norms;
      double largest = Arrays.stream(norms).max().orElse(0);
      smallest = largest == 0 ? 1 : 1e-6 * largest;
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
     * Compares random parts in the batch and alone.
     *
     * @param moved by how much parameters are moved before, relative to their size
     * @param fully whether rounding and chance are measured, too
     */
    private Difference compare(boolean wide, double moved, boolean fully) {
      try (NDManager manager = parent.newSubManager()) {
        Arithmetic type = Arithmetic.inGraph(manager, wide, moved, trainable.asSet());
        double worst = 0;
        double rounding = 0;
        double again = 0;
        boolean allWide = true;
        try (Sums whole = new Sums(manager, data, labels, mode, type)) {
          allWide &= whole.wide;
          for (long[] rows : parts()) {
            double[] weights = weights(rows);
            try (NDManager own = manager.newSubManager()) {
              NDList here = whole.gradients(own, spread(weights, rows));
              NDList someData = runs.takeData(data, rows, own);
              NDList someLabels = runs.takeLabels(labels, rows, own);
              try (Sums part = new Sums(own, someData, someLabels, mode, type)) {
                allWide &= part.wide;
                worst = Math.max(worst, distance(here, part.gradients(own, weights)));
              }
              if (fully) {
                double size = wide ? WIDE_ROUNDING : ROUNDING;
                Arithmetic near = type.moved(own, size, trainable.asSet());
                rounding = Math.max(rounding, elsewhere(own, here, rows, weights, near));
                again = Math.max(again, elsewhere(own, here, rows, weights, type));
              }
            }
          }
        }
        return new Difference(worst, rounding, again, allWide);
      }
    }

    /** How far a gradient is from that of another pass of the batch. */
    private double elsewhere(
        NDManager manager, NDList here, long[] rows, double[] weights, Arithmetic type) {
      try (Sums other = new Sums(manager, data, labels, mode, type)) {
        return distance(here, other.gradients(manager, spread(weights, rows)));
      }
    }

    private double[] weights(long[] rows) {
      return Arrays.stream(rows)
          .mapToDouble(
              row ->
                  (random.nextBoolean() ? 1 : -1)
                      * (0.5 + random.nextDouble())
                      / Math.max(norms[Math.toIntExact(row)], smallest))
          .toArray();
    }

    private double[] spread(double[] weights, long[] rows) {
      double[] all = new double[norms.length];
      IntStream.range(0, rows.length).forEach(i -> all[Math.toIntExact(rows[i])] = weights[i]);
      return all;
    }

    private List<long[]> parts() {
      return CompanyCheck.parts(norms.length, random);
    }
  }

  /** The distance of two gradients relative to the larger norm. */
  private static double distance(NDList one, NDList other) {
    double difference = 0;
    double size = 0;
    double otherSize = 0;
    for (int k = 0; k < one.size(); k++) {
      NDArray a = one.get(k);
      NDArray b = other.get(k);
      if (a.size() == 0 && b.size() == 0) {
        continue;
      }
      size += a.size() == 0 ? 0 : square(a);
      otherSize += b.size() == 0 ? 0 : square(b);
      difference += a.size() == 0 ? square(b) : b.size() == 0 ? square(a) : square(a.sub(b));
    }
    double larger = Math.sqrt(Math.max(size, otherSize));
    if (!Double.isFinite(larger)) {
      return Double.isFinite(size) || Double.isFinite(otherSize) ? Double.POSITIVE_INFINITY : 0;
    }
    return larger == 0 ? 0 : Math.sqrt(difference) / larger;
  }

  private static double square(NDArray array) {
    return array.square().sum().getDouble();
  }
}
