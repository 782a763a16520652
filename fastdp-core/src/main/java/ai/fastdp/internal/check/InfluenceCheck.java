/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.check;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.fastdp.internal.hook.SampleAxis;
import ai.fastdp.internal.kernel.FloatType;
import ai.fastdp.internal.kernel.GraphKernels;
import ai.fastdp.internal.pass.BookKeeper;
import ai.fastdp.loss.PerSampleLoss;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Checks by derivatives that no sample's loss moves with another sample's activations or inputs.
 *
 * <p>A backward pass with the weight 0 for some losses must leave exactly 0 in all rows of their
 * samples, at every layer's output and every floating-point input: 0 times anything finite is 0, in
 * any type and in any order of summation, so that rounding cannot be mistaken for an influence. The
 * passes are chosen such that for every ordered pair of samples there is one in which the first has
 * the weight 0 and the second the weight 1: about \(\log_2 B + \frac12 \log_2 \log_2 B\) passes, 8
 * for 64 samples. It is one forward pass in training mode, so dropout does not disturb.
 *
 * <p>It sees every path of influence that has a derivative other than zero at these samples,
 * samples that change their rows between layers among them. It does not see what has none: choices,
 * counts, statistics cut off the graph.
 */
final class InfluenceCheck {
  private final BookKeeper bookKeeper;
  private final PerSampleLoss loss;
  private final SecureRandom random;

  InfluenceCheck(BookKeeper bookKeeper, PerSampleLoss loss, SecureRandom random) {
    this.bookKeeper = bookKeeper;
    this.loss = loss;
    this.random = random;
  }

  /**
   * Runs the check on all samples of a batch, at least two.
   *
   * @throws IllegalStateException if it fails
   */
  void run(NDManager parent, NDList data, NDList labels) {
    List<NDArray> watched = new ArrayList<>();
    try (NDManager manager = parent.newSubManager();
        BookKeeper.Pass pass =
            bookKeeper.forward(
                manager,
                data,
                labels,
                false,
                (store, d, l) ->
                    bookKeeper
                        .model()
                        .getBlock()
                        .forward(store, watchedInputs(d, watched), l, null))) {
      NDArray losses = loss.evaluate(labels, pass.outputs());
      pass.requirePerSample(losses);
      pass.requireUnmodified();
      if (pass.records().isEmpty()) {
        return;
      }
      watched.addAll(0, pass.layerOutputs());
      for (float[] weights : weights(Math.toIntExact(pass.batchSize()))) {
        NDArray seed = manager.create(weights).toDevice(losses.getDevice(), false);
        long[] influenced =
            new GraphKernels(bookKeeper.kernels()).foreignInfluence(losses, seed, watched);
        for (int i = 0; i < influenced.length; i++) {
          if (influenced[i] != 0) {
            throw refusal(pass, watched.get(i).getShape(), i);
          }
        }
      }
    }
  }

  private static IllegalStateException refusal(BookKeeper.Pass pass, Shape shape, int number) {
    long rows = shape.dimension() == 0 ? 1 : shape.get(0);
    if (number >= pass.records().size()) {
      return new IllegalStateException(
          "samples must not influence each other's losses, got a loss that depends on another"
              + " sample's input "
              + SampleAxis.FIRST.describe(shape, rows)
              + "; remove what mixes the batch axis before the first trainable layer");
    }
    return new IllegalStateException(
        "samples must not influence each other's losses, got a loss that depends on another"
            + " sample's output of layer '"
            + pass.records().get(number).path()
            + "' "
            + SampleAxis.FIRST.describe(shape, rows)
            + "; remove what mixes the batch axis after it (batch statistics, means over"
            + " the batch, a changed order of samples, a loss that averages or broadcasts)");
  }

  /**
   * Weights of zeros and ones, a row for each pass: samples get different sets of passes, all of
   * one size, so that no sample's set contains another's.
   */
  private List<float[]> weights(int samples) {
    int passes = 2;
    while (sets(passes) < samples) {
      passes++;
    }
    List<Integer> order = new ArrayList<>();
    for (int i = 0; i < samples; i++) {
      order.add(i);
    }
    Collections.shuffle(order, random);
    List<float[]> weights = new ArrayList<>();
    for (int p = 0; p < passes; p++) {
      weights.add(new float[samples]);
    }
    long set = (1L << (passes / 2)) - 1;
    for (int sample : order) {
      for (int p = 0; p < passes; p++) {
        weights.get(p)[sample] = (set >> p) & 1;
      }
      // The next larger number with as many ones.
      long lowest = set & -set;
      long ripple = set + lowest;
      set = (((set ^ ripple) >>> 2) / lowest) | ripple;
    }
    return weights;
  }

  /** The number of sets of half the passes. */
  private static double sets(int passes) {
    double count = 1;
    for (int i = 1; i <= passes / 2; i++) {
      count = count * (passes - passes / 2 + i) / i;
    }
    return count;
  }

  /** Inputs that the model may change in place, in the graph from {@code watched} on. */
  private NDList watchedInputs(NDList data, List<NDArray> watched) {
    SampleAxis axis = bookKeeper.axes().data();
    NDList inputs = new NDList();
    for (NDArray array : data) {
      if (!FloatType.isFloat(array)) {
        inputs.add(array);
        continue;
      }
      array.setRequiresGradient(true);
      NDArray samplesFirst = axis.toFirst(array);
      watched.add(samplesFirst);
      NDArray copy = axis.fromFirst(samplesFirst).mul(1);
      copy.setName(array.getName());
      inputs.add(copy);
    }
    return inputs;
  }
}
