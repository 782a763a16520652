/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.check;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.fastdp.internal.kernel.GraphKernels;
import ai.fastdp.internal.pass.BookKeeper;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.List;

/**
 * Gradients by ordinary back-propagation to the parameters, as PyTorch takes them without fastdp.
 *
 * <p>They are as large as the model, so that no more than one sum of losses is looked at at a time.
 */
final class OrdinaryGradients {
  /** The largest ratio of samples' norms that weights make up for. */
  static final double MOST_UNEQUAL = 1e6;

  // Elements that are compared at a time, in float64.
  private static final long CELLS = 1 << 20;

  private final BookKeeper bookKeeper;

  OrdinaryGradients(BookKeeper bookKeeper) {
    this.bookKeeper = bookKeeper;
  }

  /**
   * The gradient of a weighted sum of losses by each of some arrays, at least in float32; empty
   * where there is no path. The graph stays.
   *
   * @param owner the manager of the gradients
   * @param losses (B)
   * @param weights (B)
   */
  NDList of(NDManager owner, NDArray losses, double[] weights, List<NDArray> arrays) {
    NDArray scaled = bookKeeper.scaled(losses);
    NDArray own =
        owner
            .create(weights)
            .toDevice(losses.getDevice(), false)
            .toType(scaled.getDataType(), false);
    NDArray sum = scaled.mul(own).sum().reshape(new Shape(1));
    NDList gradients = new NDList();
    for (NDArray gradient :
        new GraphKernels(bookKeeper.kernels()).parameterGradients(owner, sum, 0, arrays)) {
      boolean wide = gradient.getDataType() == DataType.FLOAT64;
      NDArray full = wide ? gradient : gradient.toType(DataType.FLOAT32, false);
      gradients.add(bookKeeper.lossScale() == 1 ? full : full.div((float) bookKeeper.lossScale()));
    }
    return gradients;
  }

  /** Sums of squares by parameter, in float64. */
  static final class Squares {
    private final double[] differences;
    private final double[] one;
    private final double[] other;

    private Squares(double[] differences, double[] one, double[] other) {
      this.differences = differences;
      this.one = one;
      this.other = other;
    }

    /** Of the difference of a parameter's gradients. */
    double difference(int parameter) {
      return differences[parameter];
    }

    /** Of a parameter's gradient in the first list. */
    double one(int parameter) {
      return one[parameter];
    }

    /** Of all of the first list. */
    double one() {
      return Arrays.stream(one).sum();
    }

    /** Of all of the second list. */
    double other() {
      return Arrays.stream(other).sum();
    }

    /** The distance of all gradients relative to the larger norm. */
    double distance() {
      return relative(
          Math.sqrt(Arrays.stream(differences).sum()), Math.sqrt(one()), Math.sqrt(other()));
    }

    /** A norm relative to the larger of two. */
    static double relative(double difference, double one, double other) {
      double larger = Math.max(one, other);
      if (!Double.isFinite(larger)) {
        return Double.isFinite(one) || Double.isFinite(other) ? Double.POSITIVE_INFINITY : 0;
      }
      return larger == 0 ? 0 : difference / larger;
    }
  }

  /** The norm of gradients. */
  double norm(NDManager parent, NDList gradients) {
    try (NDManager manager = parent.newSubManager()) {
      NDArray squares = new GraphKernels(bookKeeper.kernels()).squares(manager, gradients, CELLS);
      return Math.sqrt(Arrays.stream(squares.toDoubleArray()).sum());
    }
  }

  /** Compares two lists of gradients. */
  Squares squares(NDManager parent, NDList one, NDList other) {
    try (NDManager manager = parent.newSubManager()) {
      NDList sums = new GraphKernels(bookKeeper.kernels()).squareSums(manager, one, other, CELLS);
      return new Squares(
          sums.get(0).toDoubleArray(), sums.get(1).toDoubleArray(), sums.get(2).toDoubleArray());
    }
  }

  /**
   * Random positive weights for a sum of losses, in inverse proportion to the norms of the samples'
   * gradients, so that no sample hides another.
   *
   * @param range the largest ratio of two norms that is made up for; 1 for none
   */
  static double[] weights(double[] norms, double range, SecureRandom random) {
    double largest = Arrays.stream(norms).max().orElse(0);
    return Arrays.stream(norms)
        .map(
            norm ->
                (0.5 + random.nextDouble())
                    * (largest == 0 ? 1 : largest / Math.max(norm, largest / range)))
        .toArray();
  }
}
