/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.check;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.fastdp.internal.check.LossRun.Mode;
import ai.fastdp.internal.kernel.GraphKernels;
import ai.fastdp.internal.pass.BookKeeper;
import ai.fastdp.internal.pass.ClippingGroups;
import ai.fastdp.internal.pass.TrainableParameters;
import ai.fastdp.loss.PerSampleLoss;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * Checks by values that the samples' gradients are the same in whatever company.
 *
 * <p>Behind a layer of zeros, neither a loss nor a derivative shows what mixes the batch; the
 * gradient of that layer does, which holds the mixed activations. A sum of the engine's gradients
 * with random weights is taken in the pass of the whole batch, and compared with the sums that
 * random parts of the batch have in passes of their own, clipping group by clipping group, as a
 * group that is small in the whole gradient may be large in what is released. Weights are in
 * inverse proportion to the norms of the samples' gradients in the group, so that a large one hides
 * no small one. All groups take one forward and one backward pass of the batch, and one of its
 * parts.
 *
 * <p>A doubtful difference is looked at in float64, by ordinary back-propagation with a backward
 * pass for each group in doubt, and must come again with parameters moved a little and other parts.
 * What rounding can do is measured by moving the parameters by rounding's size.
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
  private final OrdinaryGradients ordinary;
  private final EngineGradients engine;
  private final ClippingGroups groups;
  private final SecureRandom random;
  private final double tolerance;

  CompanyGradients(
      BookKeeper bookKeeper,
      TrainableParameters trainable,
      ClippingGroups groups,
      PerSampleLoss loss,
      SecureRandom random,
      double tolerance) {
    this.bookKeeper = bookKeeper;
    this.trainable = trainable;
    this.groups = groups;
    this.loss = loss;
    this.random = random;
    this.tolerance = tolerance;
    runs = new LossRun(bookKeeper, loss);
    ordinary = new OrdinaryGradients(bookKeeper);
    engine = new EngineGradients(trainable);
  }

  /**
   * Runs the check on all samples of a batch whose gradients are finite.
   *
   * @param mode one in which losses are not random
   * @throws IllegalStateException if it fails
   */
  void run(NDManager parent, NDList data, NDList labels, Mode mode) {
    try (NDManager manager = parent.newSubManager()) {
      double[][] norms = groupNorms(manager, data, labels, mode);
      long[] finite =
          LongStream.range(0, norms.length == 0 ? 0 : norms[0].length)
              .filter(i -> Arrays.stream(norms).allMatch(own -> Double.isFinite(own[(int) i])))
              .toArray();
      if (finite.length < 2) {
        return;
      }
      new Trial(
              manager,
              runs.takeData(data, finite, manager),
              runs.takeLabels(labels, finite, manager),
              mode,
              Arrays.stream(norms).map(own -> at(own, finite)).toArray(double[][]::new))
          .run();
    }
  }

  private static double[] at(double[] values, long[] rows) {
    return Arrays.stream(rows).mapToDouble(row -> values[Math.toIntExact(row)]).toArray();
  }

  /** The norms of the samples' gradients, by the engine; none where nothing is recorded. */
  double[] norms(NDManager manager, NDList data, NDList labels, Mode mode) {
    double[][] ofGroups = groupNorms(manager, data, labels, mode);
    double[] norms = new double[ofGroups.length == 0 ? 0 : ofGroups[0].length];
    for (int i = 0; i < norms.length; i++) {
      for (double[] own : ofGroups) {
        norms[i] = Math.hypot(norms[i], own[i]);
      }
    }
    return norms;
  }

  /** The same by clipping group. */
  private double[][] groupNorms(NDManager manager, NDList data, NDList labels, Mode mode) {
    try (BookKeeper.Pass pass = forward(manager, data, labels, mode, BookKeeper.Parameters.OWN)) {
      NDArray losses = loss.evaluate(labels, pass.outputs());
      pass.requirePerSample(losses);
      return pass.records().isEmpty()
          ? new double[0][]
          : groups.norms(pass.gradients(losses), losses.size());
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

    /** The gradient of a weighted sum of the losses by the parameters of a group. */
    NDList gradients(NDManager owner, int group, double[] weights) {
      return ordinary.of(owner, losses, weights, groups.of(group, arrays));
    }

    @Override
    public void close() {
      pass.close();
      manager.close();
    }
  }

  /** Compares a batch with parts of it, in the clipping groups that leave a doubt. */
  private final class Trial {
    private final NDManager parent;
    private final NDList data;
    private final NDList labels;
    private final Mode mode;
    private final double[][] norms;
    private final int samples;

    Trial(NDManager parent, NDList data, NDList labels, Mode mode, double[][] norms) {
      this.parent = parent;
      this.data = data;
      this.labels = labels;
      this.mode = mode;
      this.norms = norms;
      samples = norms[0].length;
    }

    void run() {
      int[] doubtful = doubtful();
      if (doubtful.length == 0) {
        return;
      }
      Optional<Difference[]> inFloat64 =
          LossRun.attempt(() -> compare(doubtful, true, 0))
              .filter(all -> Arrays.stream(all).allMatch(Difference::wide));
      boolean wide = inFloat64.isPresent();
      int[] left = doubtful;
      Difference[] found = inFloat64.orElseGet(() -> compare(doubtful, false, 0));
      for (int i = 0; ; i++) {
        left = differing(left, found, wide);
        if (left.length == 0) {
          return;
        }
        if (i == REPEATS) {
          break;
        }
        found = compare(left, wide, MOVED);
      }
      throw new IllegalStateException(
          "a sample's gradient must not depend on the rest of its batch, got another one in other"
              + " company; remove what mixes the batch axis in the model or the loss (statistics,"
              + " a changed order, numbers of samples), behind layers of zeros too");
    }

    private int[] differing(int[] compared, Difference[] found, boolean wide) {
      return IntStream.range(0, compared.length)
          .filter(
              k -> {
                double allowed = (wide ? Tolerance.WIDE : tolerance) + SAFETY * found[k].rounding();
                return !found[k].isUnsteady() && found[k].company() > allowed;
              })
          .map(k -> compared[k])
          .toArray();
    }

    /** The groups in which the engine's own sums differ by more than float32's rounding. */
    private int[] doubtful() {
      double[][] weights = weights(OrdinaryGradients.MOST_UNEQUAL);
      try (NDManager manager = parent.newSubManager()) {
        long[] all = LongStream.range(0, samples).toArray();
        NDList left = engineSums(manager, data, labels, weights, all);
        double[] inBatch = groupsOf(left);
        double[] inParts = new double[inBatch.length];
        for (long[] rows : parts()) {
          try (NDManager own = manager.newSubManager()) {
            NDList sums =
                engineSums(
                    own,
                    runs.takeData(data, rows, own),
                    runs.takeLabels(labels, rows, own),
                    weights,
                    rows);
            double[] part = groupsOf(sums);
            Arrays.setAll(inParts, g -> Math.hypot(inParts[g], part[g]));
            left = subtracted(manager, left, sums);
          }
        }
        double[] apart = groupsOf(left);
        return IntStream.range(0, apart.length)
            .filter(
                g ->
                    OrdinaryGradients.Squares.relative(apart[g], inBatch[g], inParts[g])
                        > UNDOUBTED)
            .toArray();
      }
    }

    private double[] groupsOf(NDList gradients) {
      double[] found = new double[groups.count()];
      Arrays.setAll(found, g -> ordinary.norm(parent, groups.of(g, gradients)));
      return found;
    }

    private NDList engineSums(
        NDManager owner, NDList some, NDList someLabels, double[][] weights, long[] rows) {
      try (BookKeeper.Pass pass =
          forward(parent, some, someLabels, mode, BookKeeper.Parameters.OWN)) {
        NDArray losses = loss.evaluate(someLabels, pass.outputs());
        pass.requirePerSample(losses);
        return engine.sums(
            owner, pass.gradients(losses), number -> at(weights[groups.of(number)], rows));
      }
    }

    private double[][] weights(double range) {
      return Arrays.stream(norms)
          .map(own -> OrdinaryGradients.weights(own, range, random))
          .toArray(double[][]::new);
    }

    /**
     * Compares the gradient in the batch with the sum of those in random parts of it, group by
     * group, with a backward pass for each.
     *
     * @param moved by how much parameters are moved before, relative to their size
     */
    private Difference[] compare(int[] compared, boolean wide, double moved) {
      try (NDManager manager = parent.newSubManager()) {
        Arithmetic type = Arithmetic.inGraph(manager, wide, moved, trainable.asSet());
        List<NDList> left = new ArrayList<>();
        double[][] weights;
        boolean allWide;
        try (Sums whole = new Sums(manager, data, labels, mode, type)) {
          boolean half = whole.losses.getDataType() == DataType.FLOAT16;
          weights = weights(half ? 1 : OrdinaryGradients.MOST_UNEQUAL);
          for (int group : compared) {
            left.add(whole.gradients(manager, group, weights[group]));
          }
          allWide = whole.wide;
        }
        double[] again = apart(manager, compared, left, weights, type);
        Arithmetic near = type.moved(manager, wide ? WIDE_ROUNDING : ROUNDING, trainable.asSet());
        double[] rounding = apart(manager, compared, left, weights, near);
        double[] inBatch = left.stream().mapToDouble(l -> ordinary.norm(parent, l)).toArray();
        double[] inParts = new double[compared.length];
        for (long[] rows : parts()) {
          try (NDManager own = manager.newSubManager();
              Sums part = sums(own, rows, type)) {
            allWide &= part.wide;
            for (int k = 0; k < compared.length; k++) {
              NDList gradients = part.gradients(own, compared[k], at(weights[compared[k]], rows));
              inParts[k] = Math.hypot(inParts[k], ordinary.norm(own, gradients));
              left.set(k, subtracted(manager, left.get(k), gradients));
            }
          }
        }
        Difference[] found = new Difference[compared.length];
        for (int k = 0; k < found.length; k++) {
          double apart = ordinary.norm(parent, left.get(k));
          double company = OrdinaryGradients.Squares.relative(apart, inBatch[k], inParts[k]);
          found[k] = new Difference(company, rounding[k], again[k], allWide);
        }
        return found;
      }
    }

    private NDList subtracted(NDManager owner, NDList from, NDList gradients) {
      NDList rest = new GraphKernels(bookKeeper.kernels()).subtract(owner, from, gradients);
      from.close();
      return rest;
    }

    private Sums sums(NDManager manager, long[] rows, Arithmetic type) {
      return new Sums(
          manager,
          runs.takeData(data, rows, manager),
          runs.takeLabels(labels, rows, manager),
          mode,
          type);
    }

    /** How far the groups' gradients are from those of another pass of the batch. */
    private double[] apart(
        NDManager owner,
        int[] compared,
        List<NDList> gradients,
        double[][] weights,
        Arithmetic type) {
      try (NDManager manager = owner.newSubManager();
          Sums other = new Sums(manager, data, labels, mode, type)) {
        double[] apart = new double[compared.length];
        for (int k = 0; k < apart.length; k++) {
          NDList again = other.gradients(manager, compared[k], weights[compared[k]]);
          apart[k] = ordinary.squares(manager, gradients.get(k), again).distance();
        }
        return apart;
      }
    }

    private List<long[]> parts() {
      return CompanyCheck.parts(samples, random);
    }
  }
}
