/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.check;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.fastdp.internal.check.LossRun.Mode;
import ai.fastdp.internal.pass.PassState;
import ai.fastdp.internal.state.Place;
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
  private static final int[] FROM_ONE_STATE = {0, 1, 0, 1, 1, 0};

  private final LossRun runs;
  private final CompanyGradients gradients;
  private final SecureRandom random;
  private final PassState state;

  HiddenState(LossRun runs, CompanyGradients gradients, SecureRandom random, PassState state) {
    this.runs = runs;
    this.gradients = gradients;
    this.random = random;
    this.state = state;
  }

  /**
   * Runs the check.
   *
   * @param data at least two samples
   * @throws IllegalStateException if it fails
   */
  @SuppressWarnings("try") // What passes leave is put back when the trial is closed.
  void run(NDManager parent, NDList data, NDList labels, int samples) {
    requireUnread(parent, data, labels, samples);
    try (NDManager manager = parent.newSubManager();
        TorchSeed seeds = new TorchSeed(manager);
        PassState.Trial ignored = state.trial()) {
      run(new Rounds(manager, seeds, data, labels, samples));
    }
  }

  /**
   * Checks that, from the state that the model's Java objects have now, no sample's loss reads what
   * a pass over others leaves. It is sure of it: each group's losses must come again, to the bit,
   * and the groups' must differ.
   *
   * @throws IllegalStateException if it fails
   */
  @SuppressWarnings("try") // What passes leave is put back when the trial is closed.
  void requireUnread(NDManager parent, NDList data, NDList labels, int samples) {
    try (NDManager manager = parent.newSubManager();
        TorchSeed seeds = new TorchSeed(manager);
        PassState.Trial ignored = state.trial()) {
      Rounds rounds = new Rounds(manager, seeds, data, labels, samples);
      state.rewind();
      rounds.passes(0, 0);
      List<Place> places = state.changes();
      // What nobody wrote to, nobody reads.
      for (int kind = 0; !places.isEmpty() && kind < rounds.kinds(); kind++) {
        if (rounds.isRead(kind)) {
          throw refusal(places);
        }
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
        throw refusal(List.of());
      }
    }
  }

  private static IllegalStateException refusal(List<Place> places) {
    return new IllegalStateException(
        "a forward pass must leave nothing behind that another sample's loss reads, got a loss"
            + " or a gradient that changes with a training pass over other samples"
            + (places.isEmpty() ? "" : ", which writes into " + places.get(0))
            + "; remove what a block or a"
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
    private final TorchSeed seeds;
    private final NDList probes;
    private final NDList probeLabels;
    private final int probeCount;
    // Data and labels of either group: in a batch of another size than that of the probes, and then
    // in one of their size, so that what is kept as long as the shape stays is made of the group.
    private final List<NDList> before = new ArrayList<>();
    private final List<NDList> last = new ArrayList<>();
    private final List<Mode> modes;

    Rounds(NDManager manager, TorchSeed seeds, NDList data, NDList labels, int samples) {
      this.manager = manager;
      this.seeds = seeds;
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
      double[][] found = new double[kinds() * probeCount][order.size()];
      for (int i = 0; i < order.size(); i++) {
        passes(order.get(i), i);
        for (int m = 0; m < kinds(); m++) {
          double[] now = measured(m);
          for (int k = 0; k < now.length; k++) {
            found[m * probeCount + k][i] = now[k];
          }
        }
      }
      return found;
    }

    /** The losses in each mode, and the norms of gradients. */
    int kinds() {
      return modes.size() + 1;
    }

    /**
     * Whether the probes' losses of a kind tell the groups apart, each measured right after passes
     * from one state: the probes' own passes may write over what the groups have left.
     */
    boolean isRead(int kind) {
      double[][] found = new double[FROM_ONE_STATE.length][];
      for (int i = 0; i < found.length; i++) {
        int group = FROM_ONE_STATE[i];
        state.rewind();
        passes(group, 0);
        found[i] = measured(kind);
        boolean differs = i > 1 && !Arrays.equals(found[i], found[group]);
        if (differs || (i == 1 && Arrays.equals(found[0], found[1]))) {
          return false;
        }
      }
      return true;
    }

    /** Runs passes over a group of others. */
    void passes(int group, long seed) {
      seeds.set(SEED + 1L + seed);
      pass(before, group);
      pass(last, group);
    }

    private double[] measured(int kind) {
      seeds.set(SEED);
      return kind < modes.size() ? losses(modes.get(kind)) : norms();
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
