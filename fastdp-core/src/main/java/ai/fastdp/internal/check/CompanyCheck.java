/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.check;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.fastdp.internal.check.LossRun.Losses;
import ai.fastdp.internal.check.LossRun.Mode;
import ai.fastdp.internal.pass.BookKeeper;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Checks by values that a sample's loss is the same in whatever company: in the batch, in random
 * parts of it in another order, and alone, by the engine and by DJL.
 *
 * <p>It sees what has no derivative: the largest of a batch, ranks, counts, places, labels of
 * others. It runs in training mode where a training pass gives the same losses twice. Else {@link
 * InPlaceCheck} looks at training mode, and the parts are compared in inference mode, if the model
 * runs in it and is not random there.
 *
 * <p>Losses that differ by more than rounding are computed again in float64, where the model can
 * run in it, and may then differ by 1e-9 of a loss. Where it cannot, the tolerance is that of its
 * type. A difference is an error only if it comes again every time, as that of a rule would.
 */
final class CompanyCheck {
  private static final int REPEATS = 8;
  private static final double ROUNDING = 1e-7;
  private static final double SAFETY = 30;
  // One partition keeps a rule such as "the hardest 70 %" unseen in a fifth of all cases.
  private static final int PARTITIONS = 4;

  private final BookKeeper bookKeeper;
  private final LossRun runs;
  private final SecureRandom random;
  private final double tolerance;
  private final InPlaceCheck inPlace;
  private @Nullable Mode mode = Mode.TRAINING;

  CompanyCheck(BookKeeper bookKeeper, LossRun runs, SecureRandom random, double tolerance) {
    this.bookKeeper = bookKeeper;
    this.runs = runs;
    this.random = random;
    this.tolerance = tolerance;
    inPlace = new InPlaceCheck(runs, random, tolerance);
  }

  /** The mode in which the model's losses can be compared; none where it is random in both. */
  Optional<Mode> mode() {
    return Optional.ofNullable(mode);
  }

  /**
   * Runs the check on all samples of a batch, at least two.
   *
   * @throws IllegalStateException if it fails
   */
  void run(NDManager parent, NDList data, NDList labels) {
    int samples = Math.toIntExact(bookKeeper.samples(data));
    List<long[]> parts = new ArrayList<>();
    for (int i = 0; i < PARTITIONS; i++) {
      parts.addAll(parts(samples, random));
    }
    if (mode == Mode.TRAINING && agrees(parent, data, labels, Mode.TRAINING, parts)) {
      return;
    }
    // It is random in training mode.
    inPlace.run(parent, data, labels, samples);
    if (mode != null) {
      mode = Mode.INFERENCE;
      if (!works(parent, data, labels) || !agrees(parent, data, labels, Mode.INFERENCE, parts)) {
        mode = null;
      }
    }
  }

  /** Whether losses are the same in all parts; false where they are random. */
  private boolean agrees(
      NDManager parent, NDList data, NDList labels, Mode tried, List<long[]> parts) {
    return isSteady(parent, data, labels, tried)
        && new Trial(parent, data, labels, tried, parts).agrees();
  }

  private boolean works(NDManager parent, NDList data, NDList labels) {
    return LossRun.attempt(
            () -> runs.recorded(parent, data, labels, Mode.INFERENCE, Arithmetic.OWN))
        .isPresent();
  }

  private boolean isSteady(NDManager parent, NDList data, NDList labels, Mode tried) {
    double[] first = runs.recorded(parent, data, labels, tried, Arithmetic.OWN).values();
    double[] second = runs.recorded(parent, data, labels, tried, Arithmetic.OWN).values();
    return worst(first, second).difference() <= tolerance;
  }

  /** A random sample and two random parts of the rest, all in random order. */
  static List<long[]> parts(int samples, SecureRandom random) {
    List<Long> order = new ArrayList<>();
    for (long i = 0; i < samples; i++) {
      order.add(i);
    }
    Collections.shuffle(order, random);
    int end = 1 + samples / 2;
    return Stream.of(order.subList(0, 1), order.subList(1, end), order.subList(end, samples))
        .filter(part -> !part.isEmpty())
        .map(part -> part.stream().mapToLong(Long::longValue).toArray())
        .toList();
  }

  private record Difference(int sample, double difference) {}

  private static Difference worst(double[] one, double[] other) {
    Difference worst = new Difference(0, 0);
    for (int i = 0; i < one.length; i++) {
      double difference = Tolerance.difference(one[i], other[i]);
      if (difference > worst.difference()) {
        worst = new Difference(i, difference);
      }
    }
    return worst;
  }

  /** The losses of samples in their batch and elsewhere. */
  private static final class Comparison {
    private final double[] batch;
    private final double[] parts;
    private final boolean wide;

    Comparison(double[] batch, double[] parts, boolean wide) {
      this.batch = batch;
      this.parts = parts;
      this.wide = wide;
    }

    boolean isWide() {
      return wide;
    }

    Difference worst() {
      return CompanyCheck.worst(batch, parts);
    }

    /** Whether a sample's losses differ again as they did. */
    boolean comesAgain(Comparison again, int sample) {
      double was = parts[sample] - batch[sample];
      double is = again.parts[sample] - again.batch[sample];
      // A loss that drifts with the number of passes differs in the batch, too.
      double drift = again.batch[sample] - batch[sample];
      return !Double.isFinite(was)
          ? !Double.isFinite(is)
          : Math.max(Math.abs(is - was), Math.abs(drift)) <= 0.1 * Math.abs(was);
    }
  }

  /** Compares a batch with its parts, in one type or the other. */
  private final class Trial {
    private final NDManager parent;
    private final NDList data;
    private final NDList labels;
    private final Mode tried;
    private final List<long[]> parts;

    Trial(NDManager parent, NDList data, NDList labels, Mode tried, List<long[]> parts) {
      this.parent = parent;
      this.data = data;
      this.labels = labels;
      this.tried = tried;
      this.parts = parts;
    }

    /** Whether the losses agree; false where they are not the same twice. */
    boolean agrees() {
      if (compare(Arithmetic.OWN).worst().difference() <= Tolerance.UNDOUBTED) {
        return true;
      }
      try (NDManager manager = parent.newSubManager()) {
        Arithmetic wide = Arithmetic.wide(manager);
        Optional<Comparison> inFloat64 =
            LossRun.attempt(() -> compare(wide)).filter(Comparison::isWide);
        Arithmetic type = inFloat64.isPresent() ? wide : Arithmetic.OWN;
        double allowed = inFloat64.isPresent() ? Tolerance.WIDE : tolerance + SAFETY * rounding();
        Comparison first = inFloat64.orElseGet(() -> compare(type));
        Difference worst = first.worst();
        if (worst.difference() <= allowed) {
          return true;
        }
        for (int i = 1; i < REPEATS; i++) {
          if (!first.comesAgain(compare(type), worst.sample())) {
            return false;
          }
        }
      }
      throw new IllegalStateException(
          "a sample's loss must not depend on the rest of its batch, got another value in other"
              + " company; remove what mixes the batch axis in the model or the loss (the largest"
              + " of a batch, ranks, counts, places in the batch)");
    }

    /** What rounding may do to losses: what parameters that are moved by as much do. */
    private double rounding() {
      try (NDManager manager = parent.newSubManager()) {
        Arithmetic near = Arithmetic.OWN.moved(manager, ROUNDING, bookKeeper.trained());
        return CompanyCheck.worst(
                runs.recorded(manager, data, labels, tried, Arithmetic.OWN).values(),
                runs.recorded(manager, data, labels, tried, near).values())
            .difference();
      }
    }

    private Comparison compare(Arithmetic type) {
      Losses whole = runs.recorded(parent, data, labels, tried, type);
      double[] others = whole.values().clone();
      boolean wide = whole.isWide();
      for (long[] rows : parts) {
        try (NDManager manager = parent.newSubManager()) {
          NDList some = runs.takeData(data, rows, manager);
          NDList someLabels = runs.takeLabels(labels, rows, manager);
          Losses losses = runs.recorded(manager, some, someLabels, tried, type);
          wide &= losses.isWide();
          for (int i = 0; i < rows.length; i++) {
            keepFurther(whole, others, Math.toIntExact(rows[i]), losses.values()[i]);
          }
        }
      }
      if (tried == Mode.TRAINING) {
        long single = parts.get(0)[0];
        keepFurther(whole, others, Math.toIntExact(single), alone(single, type));
      }
      return new Comparison(whole.values(), others, wide);
    }

    /** Of a sample's losses elsewhere the one that is furthest from that in the batch. */
    private static void keepFurther(Losses whole, double[] others, int sample, double loss) {
      double here = whole.values()[sample];
      if (Tolerance.difference(here, loss) > Tolerance.difference(here, others[sample])) {
        others[sample] = loss;
      }
    }

    /** The loss of a sample in an ordinary pass of a batch of one. */
    private double alone(long sample, Arithmetic type) {
      try (NDManager manager = parent.newSubManager()) {
        long[] row = {sample};
        NDList one = runs.takeData(data, row, manager);
        NDList oneLabel = runs.takeLabels(labels, row, manager);
        return Arrays.stream(runs.ordinary(manager, one, oneLabel, type)).sum();
      }
    }
  }
}
