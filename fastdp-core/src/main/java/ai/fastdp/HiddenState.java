/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.jni.JniUtils;
import ai.fastdp.LossRun.Mode;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.LongStream;

/**
 * Checks that a training pass over other samples leaves nothing behind that a sample's loss reads:
 * running statistics, codebooks or activations in fields of a block or of a loss.
 *
 * <p>Losses of a few samples, and the norms of their gradients, are computed after training passes
 * over two groups of others, in training mode and, where the model runs in it, in inference mode.
 * PyTorch's generator has the same seed before each, so that dropout repeats. If the losses are the
 * same to the bit, nothing is left behind. Else the order of the groups is drawn at random and the
 * losses, and their changes, are compared with it: a counter of passes, a cache or randomness of
 * the model's own knows nothing of that order, so that the test refuses one of them with a known,
 * small probability, whatever the model computes.
 */
final class HiddenState {
  private static final int SETTLING = 2;
  private static final int QUICK = 4;
  private static final int ROUNDS = 24;
  // Two of three times for one of 36 statistics: 7 of a million right but unsteady models.
  private static final int TRIALS = 3;
  private static final int PERMUTATIONS = 4000;
  // Several, as what is kept may lie where one sample's loss is nearly flat.
  private static final int PROBES = 4;
  private static final int SEED = 7;
  private static final int OTHERS = 16;

  private final LossRun runs;
  private final CompanyGradients gradients;
  private final SecureRandom random;

  HiddenState(LossRun runs, CompanyGradients gradients, SecureRandom random) {
    this.runs = runs;
    this.gradients = gradients;
    this.random = random;
  }

  /**
   * Runs the check.
   *
   * @param data at least two samples
   * @throws IllegalStateException if it fails
   */
  void run(NDManager parent, NDList data, NDList labels, int samples) {
    try (NDManager manager = parent.newSubManager()) {
      // What the generator would have given goes on from a number that it gave.
      long next =
          manager.randomInteger(0, Long.MAX_VALUE, new Shape(1), DataType.INT64).toLongArray()[0];
      try {
        run(new Rounds(manager, data, labels, samples));
      } finally {
        JniUtils.setSeed(next);
      }
    }
  }

  private void run(Rounds rounds) {
    rounds.take(alternating(SETTLING));
    if (isConstant(rounds.take(alternating(QUICK)))) {
      return;
    }
    // A slow average moves far at first.
    rounds.take(alternating(2 * ROUNDS));
    int[] times = new int[0];
    for (int i = 0; i < TRIALS; i++) {
      List<Integer> order = alternating(ROUNDS);
      Collections.shuffle(order, random);
      boolean[] found = related(rounds.take(order), order);
      times = Arrays.copyOf(times, found.length);
      for (int k = 0; k < found.length; k++) {
        times[k] += found[k] ? 1 : 0;
      }
      if (Arrays.stream(times).anyMatch(count -> count == 2)) {
        throw refusal();
      }
    }
  }

  private static IllegalStateException refusal() {
    return new IllegalStateException(
        "a forward pass must leave nothing behind that another sample's loss reads, got a loss"
            + " or a gradient that changes with a training pass over other samples; remove what a block or a"
            + " loss keeps in its fields (running statistics, centres, codebooks, the last"
            + " activations)");
  }

  private static List<Integer> alternating(int count) {
    List<Integer> order = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      order.add(i % 2);
    }
    return order;
  }

  private static boolean isConstant(double[][] losses) {
    return Arrays.stream(losses)
        .allMatch(row -> Arrays.stream(row).allMatch(x -> Double.compare(x, row[0]) == 0));
  }

  /**
   * Which statistics of the losses, by mode, sample and kind, are related to the order of the
   * groups.
   */
  private boolean[] related(double[][] losses, List<Integer> order) {
    boolean[] related = new boolean[3 * losses.length];
    for (int m = 0; m < losses.length; m++) {
      double[] levels = losses[m];
      double[] changes = new double[levels.length - 1];
      Arrays.setAll(changes, i -> levels[i + 1] - levels[i]);
      related[3 * m] = isRelated(levels, order);
      related[3 * m + 1] = isRelated(changes, order.subList(1, order.size()));
      related[3 * m + 2] = isRelated(unexplained(levels), order.subList(1, order.size()));
    }
    return related;
  }

  /** What a line through each value and the one before leaves: a slow average's innovation. */
  private static double[] unexplained(double[] values) {
    int count = values.length - 1;
    double meanBefore = Arrays.stream(values, 0, count).average().orElse(0);
    double mean = Arrays.stream(values, 1, count + 1).average().orElse(0);
    double product = 0;
    double square = 0;
    for (int i = 0; i < count; i++) {
      product += (values[i] - meanBefore) * (values[i + 1] - mean);
      square += Math.pow(values[i] - meanBefore, 2);
    }
    double slope = square == 0 ? 0 : product / square;
    double[] rest = new double[count];
    Arrays.setAll(rest, i -> values[i + 1] - mean - slope * (values[i] - meanBefore));
    return rest;
  }

  /** Whether no random order of the groups tells the values apart as well as the order that was. */
  private boolean isRelated(double[] values, List<Integer> order) {
    double found = distance(values, order);
    List<Integer> other = new ArrayList<>(order);
    for (int i = 0; i < PERMUTATIONS; i++) {
      Collections.shuffle(other, random);
      // The order itself, or its reverse, drawn again is no evidence against it.
      if (!(distance(values, other) < found) && !isSameSplit(other, order)) {
        return false;
      }
    }
    return found > 0;
  }

  private static boolean isSameSplit(List<Integer> one, List<Integer> other) {
    boolean same = one.get(0).equals(other.get(0));
    for (int i = 1; i < one.size(); i++) {
      if (one.get(i).equals(other.get(i)) != same) {
        return false;
      }
    }
    return true;
  }

  private static double distance(double[] values, List<Integer> order) {
    double[] sums = new double[2];
    int[] counts = new int[2];
    for (int i = 0; i < values.length; i++) {
      sums[order.get(i)] += values[i];
      counts[order.get(i)]++;
    }
    return Math.abs(sums[0] / counts[0] - sums[1] / counts[1]);
  }

  /** Losses of a few samples after passes over groups of others. */
  private final class Rounds {
    private final NDManager manager;
    private final NDList probes;
    private final NDList probeLabels;
    private final int probeCount;
    // Data and labels of either group: in a batch of another size than that of the probes, and then
    // in one of their size, so that what is kept as long as the shape stays is made of the group.
    private final List<NDList> before = new ArrayList<>();
    private final List<NDList> last = new ArrayList<>();
    private final List<Mode> modes;

    Rounds(NDManager manager, NDList data, NDList labels, int samples) {
      this.manager = manager;
      probeCount = Math.max(1, Math.min(PROBES, samples - 2));
      long[] first = LongStream.range(0, probeCount).toArray();
      probes = runs.takeData(data, first, manager);
      probeLabels = runs.takeLabels(labels, first, manager);
      int rest = Math.min(samples - probeCount, OTHERS);
      // Groups of one size, so that what is kept by size stays as it is.
      int size = Math.max(1, rest / 2);
      long end = rest == 1 ? 0 : probeCount + rest - size;
      for (long start : new long[] {probeCount, end}) {
        add(before, data, labels, start, size, size == probeCount ? size + 1 : size);
        add(last, data, labels, start, size, probeCount);
      }
      modes =
          LossRun.attempt(() -> losses(Mode.INFERENCE)).isPresent()
              ? List.of(Mode.TRAINING, Mode.INFERENCE)
              : List.of(Mode.TRAINING);
    }

    /** Adds a batch of a group's samples, which may be in it several times. */
    private void add(
        List<NDList> batches, NDList data, NDList labels, long start, int size, int count) {
      long[] rows = LongStream.range(0, count).map(i -> start + i % size).toArray();
      batches.add(runs.takeData(data, rows, manager));
      batches.add(runs.takeLabels(labels, rows, manager));
    }

    /** The losses and the norms of gradients, by mode and sample, and by round. */
    double[][] take(List<Integer> order) {
      double[][] found = new double[(modes.size() + 1) * probeCount][order.size()];
      for (int i = 0; i < order.size(); i++) {
        JniUtils.setSeed(SEED + 1L + i);
        pass(before, order.get(i));
        pass(last, order.get(i));
        for (int m = 0; m <= modes.size(); m++) {
          JniUtils.setSeed(SEED);
          double[] now = m < modes.size() ? losses(modes.get(m)) : norms();
          for (int k = 0; k < now.length; k++) {
            found[m * probeCount + k][i] = now[k];
          }
        }
      }
      return found;
    }

    private void pass(List<NDList> groups, int group) {
      runs.recorded(
          manager, groups.get(2 * group), groups.get(2 * group + 1), Mode.TRAINING, Arithmetic.OWN);
    }

    /** The norms of the samples' gradients, which show what lies behind a layer of zeros. */
    private double[] norms() {
      return gradients.norms(manager, probes, probeLabels, Mode.TRAINING);
    }

    private double[] losses(Mode mode) {
      return runs.recorded(manager, probes, probeLabels, mode, Arithmetic.OWN).values();
    }
  }
}
