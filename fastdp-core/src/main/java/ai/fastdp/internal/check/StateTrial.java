/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.check;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.fastdp.internal.check.LossRun.Mode;
import ai.fastdp.internal.pass.BookKeeper;
import ai.fastdp.internal.pass.ClippingGroups;
import ai.fastdp.internal.pass.PassState;
import ai.fastdp.internal.pass.TrainableParameters;
import ai.fastdp.internal.state.Place;
import ai.fastdp.internal.state.Snapshot;
import ai.fastdp.loss.PerSampleLoss;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/**
 * Tries out whether places in Java objects that a training pass has changed hold data.
 *
 * <p>From the state before the pass, and with one seed of PyTorch's generator, passes without a
 * graph run on the whole batch, on a random half of its samples, on the other half, each as many
 * times as make a batch of the same size, and on one sample more. A place that holds the same after
 * all of them, to the bit, moves without data.
 *
 * <p>Where a place holds data, it is tried out whether other samples' losses or gradients read it
 * ({@link HiddenState}): a model that relies on it is refused, as it would be trained without it.
 */
public final class StateTrial implements AutoCloseable {
  private static final int SEED = 11;

  private final BookKeeper bookKeeper;
  private final TrainableParameters trainable;
  private final ClippingGroups groups;
  private final PerSampleLoss loss;
  private final LossRun runs;
  private final boolean checking;
  private final SecureRandom random = new SecureRandom();
  private @Nullable LoneSample lone;

  public StateTrial(
      BookKeeper bookKeeper,
      TrainableParameters trainable,
      ClippingGroups groups,
      PerSampleLoss loss,
      boolean checking) {
    this.bookKeeper = bookKeeper;
    this.trainable = trainable;
    this.groups = groups;
    this.loss = loss;
    this.checking = checking;
    runs = new LossRun(bookKeeper, loss);
  }

  /**
   * Finds the places that move without data.
   *
   * @param parent owns what is made
   * @param before the state that holds now
   * @return the places; empty if the batch cannot tell
   * @throws IllegalStateException if a loss or a gradient reads what a place holds of other samples
   */
  public Optional<List<Place>> withoutData(
      NDManager parent, NDList data, NDList labels, Snapshot before, List<Place> places) {
    int samples = Math.toIntExact(bookKeeper.samples(data));
    if (samples > 1) {
      return Optional.of(withoutData(parent, data, labels, companies(samples), before, places));
    }
    LoneSample other = lone;
    lone = null;
    try (NDManager manager = parent.newSubManager()) {
      if (other != null && other.isLike(data, labels)) {
        NDList both = other.joined(data, labels, manager);
        List<long[]> companies = List.of(new long[] {1}, new long[] {0}, new long[] {1, 0});
        return Optional.of(
            withoutData(
                manager,
                new NDList(both.subList(0, data.size())),
                new NDList(both.subList(data.size(), both.size())),
                companies,
                before,
                places));
      }
      return Optional.empty();
    } finally {
      if (other != null) {
        other.close();
      }
      lone = new LoneSample(bookKeeper, runs, data, labels);
    }
  }

  @SuppressWarnings("try") // What passes leave is put back when the trial is closed.
  private List<Place> withoutData(
      NDManager parent,
      NDList data,
      NDList labels,
      List<long[]> companies,
      Snapshot before,
      List<Place> places) {
    boolean[] free = new boolean[places.size()];
    Arrays.fill(free, true);
    try (NDManager manager = parent.newSubManager();
        TorchSeed seeds = new TorchSeed(manager);
        PassState.Trial ignored = bookKeeper.state().trial()) {
      Object[][] first = null;
      for (long[] rows : companies) {
        seeds.set(SEED);
        boolean ran = LossRun.attempt(() -> losses(manager, data, labels, rows)).isPresent();
        Object[][] now = places.stream().map(before::contents).toArray(Object[][]::new);
        for (int i = 0; i < now.length; i++) {
          free[i] &= ran && !places.get(i).isUnchanged();
          free[i] &= first == null || Arrays.deepEquals(first[i], now[i]);
        }
        first = first == null ? now : first;
        bookKeeper.state().rewind();
      }
    }
    List<Place> found =
        IntStream.range(0, free.length).filter(i -> free[i]).mapToObj(places::get).toList();
    if (checking && found.size() < places.size()) {
      requireUnread(parent, data, labels);
    }
    return found;
  }

  private double[] losses(NDManager manager, NDList data, NDList labels, long[] rows) {
    try (NDManager own = manager.newSubManager()) {
      return runs.recorded(
              own,
              runs.takeData(data, rows, own),
              runs.takeLabels(labels, rows, own),
              Mode.TRAINING,
              Arithmetic.OWN)
          .values();
    }
  }

  private void requireUnread(NDManager parent, NDList data, NDList labels) {
    CompanyGradients gradients =
        new CompanyGradients(bookKeeper, trainable, groups, loss, random, Tolerance.of(bookKeeper));
    new HiddenState(runs, gradients, random, bookKeeper.state())
        .requireUnread(parent, data, labels, Math.toIntExact(bookKeeper.samples(data)));
  }

  /** All samples, either half of them again and again, and one more than all. */
  private List<long[]> companies(int samples) {
    List<Long> order = new ArrayList<>(LongStream.range(0, samples).boxed().toList());
    Collections.shuffle(order, random);
    int half = samples / 2;
    return List.of(
        LongStream.range(0, samples).toArray(),
        IntStream.range(0, samples).mapToLong(i -> order.get(i % half)).toArray(),
        IntStream.range(0, samples)
            .mapToLong(i -> order.get(half + i % (samples - half)))
            .toArray(),
        LongStream.range(0, samples + 1).map(i -> i % samples).toArray());
  }

  @Override
  public void close() {
    if (lone != null) {
      lone.close();
    }
    lone = null;
  }
}
