/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.check;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.fastdp.internal.check.LossRun.Mode;
import ai.fastdp.internal.pass.BookKeeper;
import ai.fastdp.internal.pass.ClippingGroups;
import ai.fastdp.internal.pass.TrainableParameters;
import ai.fastdp.loss.PerSampleLoss;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.stream.LongStream;

/**
 * Checks the engine against the user's own model on the user's own batches, before they are trained
 * on.
 *
 * <p>In full, on the first batch with two samples:
 *
 * <ul>
 *   <li>{@link InfluenceCheck} on the whole batch: no sample's loss moves with another sample's
 *       activations or inputs.
 *   <li>{@link HiddenState}: no loss or gradient reads what a pass over other samples left behind.
 *   <li>{@link CompanyCheck} on the whole batch: a sample's loss is the same in other company,
 *       random or not.
 *   <li>{@link CompanyGradients} on the whole batch: so are the samples' gradients, where losses
 *       are not random.
 *   <li>{@link ParameterReach}: every trainable parameter takes part in some pass.
 *   <li>{@link GradientCheck} on three samples: the engine's gradients are those of ordinary
 *       back-propagation.
 * </ul>
 *
 * <p>In short, on later batches: the second on two samples, and the losses of four samples, the
 * last of the batch among them, in a batch of their own against those in the batch that is trained
 * on; where dropout makes these random, by {@link InPlaceCheck} and alone. That is a forward and
 * two backward passes of two samples, and a forward pass of four; or, where losses are random,
 * sixteen or so of them.
 */
final class SelfCheck {
  private static final int FEW = 3;
  private static final int PAIR = 2;
  private static final int TRIES = 8;
  // Below it, fewer samples are compared, so that the check costs little beside the step.
  private static final int SMALL_BATCH = 32;
  private static final int COMPARED = 4;

  private final BookKeeper bookKeeper;
  private final LossRun runs;
  private final HiddenState hidden;
  private final InfluenceCheck influence;
  private final CompanyCheck company;
  private final CompanyGradients companyGradients;
  private final ParameterReach reach;
  private final GradientCheck gradients;
  private final SecureRandom random;
  private final double tolerance;

  SelfCheck(
      BookKeeper bookKeeper,
      TrainableParameters trainable,
      ClippingGroups groups,
      PerSampleLoss loss,
      SecureRandom random) {
    this.bookKeeper = bookKeeper;
    this.random = random;
    tolerance = Tolerance.of(bookKeeper);
    runs = new LossRun(bookKeeper, loss);
    influence = new InfluenceCheck(bookKeeper, loss, random);
    company = new CompanyCheck(bookKeeper, runs, random, tolerance);
    companyGradients = new CompanyGradients(bookKeeper, trainable, groups, loss, random, tolerance);
    hidden = new HiddenState(runs, companyGradients, random, bookKeeper.state());
    reach = new ParameterReach(bookKeeper, trainable, loss);
    gradients = new GradientCheck(bookKeeper, trainable, loss, random, tolerance);
  }

  /**
   * Checks in full, but for what the batch cannot show.
   *
   * @throws IllegalStateException if the model or the loss fails it
   */
  Shown inFull(NDManager parent, NDList data, NDList labels) {
    int samples = Math.toIntExact(bookKeeper.samples(data));
    if (samples > 1) {
      influence.run(parent, data, labels);
      hidden.run(parent, data, labels, samples);
      company.run(parent, data, labels);
      company.mode().ifPresent(mode -> companyGradients.run(parent, data, labels, mode));
    }
    try (NDManager manager = parent.newSubManager()) {
      reach.run(manager, data, labels);
      boolean compared = false;
      for (int i = 0; i < TRIES && !compared; i++) {
        // Fewer where one that is not finite may have been among them.
        long[] rows = i == 0 ? rows(samples, FEW) : new long[] {random.nextInt(samples)};
        compared =
            gradients.run(
                manager,
                runs.takeData(data, rows, manager),
                runs.takeLabels(labels, rows, manager));
      }
      return new Shown(samples > 1, compared);
    }
  }

  /**
   * What a full check could look at.
   *
   * @param independence false in a batch of one sample
   * @param gradients false where no sample with a finite gradient was found
   */
  record Shown(boolean independence, boolean gradients) {}

  /** Losses of some samples in another batch than the one that is trained on. */
  static final class Compared {
    private final long[] rows;
    private final double[] losses;

    private Compared(long[] rows, double[] losses) {
      this.rows = rows;
      this.losses = losses;
    }
  }

  /**
   * Checks in short.
   *
   * @param derivatives whether two samples' influence on each other is looked at, which does not
   *     depend on the size of the batch
   * @return what the losses of the pass to come are to be compared with; none where the model's
   *     losses are random in training mode
   * @throws IllegalStateException if the model or the loss fails it
   */
  Optional<Compared> inShort(NDManager parent, NDList data, NDList labels, boolean derivatives) {
    int samples = Math.toIntExact(bookKeeper.samples(data));
    try (NDManager manager = parent.newSubManager()) {
      long[] pair = rows(samples, PAIR);
      if (derivatives && pair.length > 1) {
        influence.run(
            manager, runs.takeData(data, pair, manager), runs.takeLabels(labels, pair, manager));
      }
      long[] rows = rows(samples, samples < SMALL_BATCH ? PAIR : COMPARED);
      NDList some = runs.takeData(data, rows, manager);
      NDList someLabels = runs.takeLabels(labels, rows, manager);
      if (company.mode().filter(mode -> mode == Mode.TRAINING).isPresent()) {
        return Optional.of(
            new Compared(
                rows,
                runs.recorded(manager, some, someLabels, Mode.TRAINING, Arithmetic.OWN).values()));
      }
      if (rows.length > 1) {
        company.run(manager, some, someLabels);
      }
      return Optional.empty();
    }
  }

  /**
   * Compares losses of the pass that is trained on with those of some of its samples elsewhere; if
   * they differ, the whole batch is looked at.
   *
   * @throws IllegalStateException if the model or the loss fails it
   */
  void compare(NDManager parent, Compared elsewhere, NDArray losses, NDList data, NDList labels) {
    double[] trained;
    try (NDArray plain = losses.stopGradient()) {
      trained = LossRun.numbers(plain);
    }
    for (int i = 0; i < elsewhere.rows.length; i++) {
      double here = trained[Math.toIntExact(elsewhere.rows[i])];
      if (Tolerance.difference(here, elsewhere.losses[i]) > tolerance) {
        company.run(parent, data, labels);
        return;
      }
    }
  }

  /** Some samples of a batch: the last one, and others at random. */
  private long[] rows(int samples, int count) {
    List<Long> others = new ArrayList<>(LongStream.range(0, samples - 1).boxed().toList());
    Collections.shuffle(others, random);
    long[] rows = new long[Math.min(samples, count)];
    Arrays.setAll(rows, i -> i == 0 ? samples - 1 : others.get(i - 1));
    return rows;
  }
}
