/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.check;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.fastdp.internal.ghost.PerSampleGradients;
import ai.fastdp.internal.pass.BookKeeper;
import ai.fastdp.internal.pass.PassState;
import ai.fastdp.internal.pass.TrainableParameters;
import ai.fastdp.loss.PerSampleLoss;
import java.security.SecureRandom;
import java.util.Arrays;
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
  // Norms by Gram matrices are raised by what rounding may have taken from them.
  private static final double MOST_RAISED = 0.05;
  private static final double TINY = 1e-14;

  private final BookKeeper bookKeeper;
  private final TrainableParameters trainable;
  private final PerSampleLoss loss;
  private final OrdinaryGradients ordinary;
  private final EngineGradients engine;
  private final SecureRandom random;
  private final double tolerance;
  private final double range;

  GradientCheck(
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
    ordinary = new OrdinaryGradients(bookKeeper);
    engine = new EngineGradients(trainable);
    // Larger weights could carry halves out of their range.
    range = tolerance > Tolerance.FLOAT32 ? 1 : OrdinaryGradients.MOST_UNEQUAL;
  }

  /**
   * Runs the check on all samples of a small batch.
   *
   * @return whether it could: not where a sample's gradient is not finite
   * @throws IllegalStateException if it fails
   */
  boolean run(NDManager parent, NDList data, NDList labels) {
    Optional<IllegalStateException> wrong = Optional.empty();
    for (int i = 0; i < CUT_TRIALS; i++) {
      try (NDManager manager = parent.newSubManager();
          BookKeeper.Pass whole = forward(manager, data, labels, false, true)) {
        NDArray losses = loss.evaluate(labels, whole.outputs());
        whole.requirePerSample(losses);
        Expected expected = expected(manager, losses);
        if (!expected.isFinite()) {
          return false;
        }
        wrong = compare(manager, whole, losses, expected, data, labels);
      }
      if (wrong.isEmpty()) {
        return true;
      }
    }
    throw wrong.get();
  }

  /** What is wrong with the gradients on a cut graph; an error of a rule is thrown at once. */
  private Optional<IllegalStateException> compare(
      NDManager manager,
      BookKeeper.Pass whole,
      NDArray losses,
      Expected expected,
      NDList data,
      NDList labels) {
    double[] values = LossRun.numbers(losses);
    requireEqual(whole.gradients(losses), expected, "")
        .ifPresent(
            e -> {
              throw e;
            });
    return bookKeeper.cutPaths().isEmpty()
        ? Optional.empty()
        : compareCut(manager, data, labels, values, expected);
  }

  @SuppressWarnings("try") // What passes leave is put back when the trial is closed.
  private Optional<IllegalStateException> compareCut(
      NDManager manager, NDList data, NDList labels, double[] values, Expected expected) {
    try (PassState.Trial ignored = bookKeeper.state().trial();
        BookKeeper.Pass cut = forward(manager, data, labels, true, false)) {
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

  /** The norms of the samples' gradients, and the gradient of a weighted sum of their losses. */
  private static final class Expected {
    private final double[] norms;
    private final double[] weights;
    private final NDList gradients;

    private Expected(double[] norms, double[] weights, NDList gradients) {
      this.norms = norms;
      this.weights = weights;
      this.gradients = gradients;
    }

    boolean isFinite() {
      return Arrays.stream(norms).allMatch(Double::isFinite);
    }
  }

  private Expected expected(NDManager manager, NDArray losses) {
    List<NDArray> arrays = trainable.parameters().stream().map(Parameter::getArray).toList();
    double[] norms = new double[Math.toIntExact(losses.size())];
    for (int sample = 0; sample < norms.length; sample++) {
      double[] one = new double[norms.length];
      one[sample] = 1;
      try (NDManager own = manager.newSubManager()) {
        NDList gradients = ordinary.of(own, losses, one, arrays);
        norms[sample] = ordinary.norm(own, gradients);
      }
    }
    double[] weights = OrdinaryGradients.weights(norms, range, random);
    return new Expected(norms, weights, ordinary.of(manager, losses, weights, arrays));
  }

  private Optional<IllegalStateException> requireEqual(
      PerSampleGradients gradients, Expected expected, String where) {
    Optional<IllegalStateException> wrong = requireEqualSums(gradients, expected, where);
    if (wrong.isPresent()) {
      return wrong;
    }
    double[] squared = gradients.squaredNorms().sum(new int[] {0}).toDoubleArray();
    for (int sample = 0; sample < squared.length; sample++) {
      double wanted = expected.norms[sample];
      double norm = Math.sqrt(squared[sample]);
      double most = wanted * (1 + Math.max(tolerance, MOST_RAISED));
      if (!(norm >= wanted * (1 - tolerance) - TINY && norm <= most + TINY)) {
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

  /** Sums with random weights are equal only if the samples' gradients are. */
  private Optional<IllegalStateException> requireEqualSums(
      PerSampleGradients gradients, Expected expected, String where) {
    try (NDManager manager = gradients.squaredNorms().getManager().newSubManager()) {
      NDList actual = engine.sums(manager, gradients, k -> expected.weights);
      OrdinaryGradients.Squares squares = ordinary.squares(manager, expected.gradients, actual);
      double least = 0.05 * Math.sqrt(squares.one());
      for (int k = 0; k < actual.size(); k++) {
        double size = Math.max(Math.sqrt(squares.one(k)), least);
        if (!(Math.sqrt(squares.difference(k)) <= tolerance * size)) {
          return Optional.of(refusal(k, where));
        }
      }
      return Optional.empty();
    }
  }

  private IllegalStateException refusal(int parameter, String where) {
    return new IllegalStateException(
        "the per-sample gradient of parameter '"
            + trainable.paths().get(parameter)
            + "' "
            + trainable.parameters().get(parameter).getShape()
            + " must equal back-propagation on a batch of one"
            + where
            + ", got a relative difference above "
            + tolerance
            + "; the layer is used in a way that its rule does not cover");
  }
}
