/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.check;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.fastdp.internal.pass.BookKeeper;
import ai.fastdp.internal.pass.ClippingGroups;
import ai.fastdp.internal.pass.PassState;
import ai.fastdp.internal.pass.TrainableParameters;
import ai.fastdp.loss.PerSampleLoss;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What is tried out on batches before they are trained on: where the graph can be cut, and the
 * {@link SelfCheck}.
 *
 * <p>The check is made in full on the first batch with two samples, and in short on the second,
 * fourth, eighth ... physical batch, on any that has more samples than all before and on any with
 * other axes. Whatever fails is an error before the batch's step is released. Where physical
 * batches have one sample, two of them are checked as one batch.
 */
public final class Rehearsal implements AutoCloseable {
  private final BookKeeper bookKeeper;
  private final TrainableParameters trainable;
  private final ClippingGroups groups;
  private final PerSampleLoss loss;
  private final SecureRandom random = new SecureRandom();
  private final Set<List<Shape>> shapes = new HashSet<>();
  private final boolean checking;
  private boolean cutsPending = true;
  private boolean gradientsPending;
  private boolean independencePending;
  private @Nullable SelfCheck check;
  private long batches;
  private long largest;
  private @Nullable Due due;
  private @Nullable LoneSample lone;

  /** A comparison for which the losses of the pass to come are needed. */
  private record Due(NDManager manager, SelfCheck.Compared elsewhere, NDList data, NDList labels) {}

  public Rehearsal(
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
    gradientsPending = checking;
    independencePending = checking;
  }

  /**
   * Tries a batch that will be trained on next.
   *
   * @param manager the manager of what is made; open until the batch's losses are there
   * @param data on the device of the model's own parameters
   * @param labels there, too
   * @throws IllegalStateException if the model or the loss fails the check
   */
  public void before(NDManager manager, NDList data, NDList labels) {
    due = null;
    if (cutsPending) {
      settleCuts(manager, data, labels);
      cutsPending = false;
    }
    if (!checking) {
      return;
    }
    long samples = bookKeeper.samples(data);
    batches++;
    boolean powerOfTwo = (batches & (batches - 1)) == 0;
    boolean newShape = shapes.add(axes(data, labels));
    boolean larger = samples > largest;
    largest = Math.max(largest, samples);
    if (gradientsPending || (independencePending && samples > 1)) {
      inFull(manager, data, labels);
    } else if (powerOfTwo || newShape || larger) {
      Optional<SelfCheck.Compared> elsewhere =
          check().inShort(manager, data, labels, powerOfTwo || newShape);
      due = elsewhere.map(e -> new Due(manager, e, data, labels)).orElse(null);
    }
    if (independencePending && samples == 1) {
      joinLone(manager, data, labels);
    }
  }

  private void inFull(NDManager manager, NDList data, NDList labels) {
    SelfCheck.Shown shown = check().inFull(manager, data, labels);
    independencePending = !shown.independence();
    gradientsPending = !shown.gradients();
  }

  /** Keeps a lone sample until another of its shape comes, and checks the two as one batch. */
  private void joinLone(NDManager manager, NDList data, NDList labels) {
    LoneSample first = lone;
    lone = null;
    if (first != null) {
      try {
        if (first.isLike(data, labels)) {
          NDList both = first.joined(data, labels, manager);
          inFull(
              manager,
              new NDList(both.subList(0, data.size())),
              new NDList(both.subList(data.size(), both.size())));
        }
      } finally {
        first.close();
      }
    }
    if (independencePending) {
      lone = new LoneSample(bookKeeper, new LossRun(bookKeeper, loss), data, labels);
    }
  }

  /** Releases the sample that is kept. */
  @Override
  public void close() {
    if (lone != null) {
      lone.close();
      lone = null;
    }
  }

  /**
   * Looks at the losses of the batch that was tried last.
   *
   * @param losses (B), in the graph of the pass that is trained on
   * @throws IllegalStateException if they are not those of the same samples in other company
   */
  public void after(NDArray losses) {
    Due comparison = due;
    due = null;
    if (comparison != null) {
      check()
          .compare(
              comparison.manager(),
              comparison.elsewhere(),
              losses,
              comparison.data(),
              comparison.labels());
    }
  }

  private SelfCheck check() {
    SelfCheck made = check;
    if (made == null) {
      // Made when the parameters have arrays: their types decide on the tolerance.
      made = new SelfCheck(bookKeeper, trainable, groups, loss, random);
      check = made;
    }
    return made;
  }

  /** The shapes of a batch's arrays without the samples. */
  private List<Shape> axes(NDList data, NDList labels) {
    List<Shape> all = new ArrayList<>();
    data.forEach(array -> all.add(bookKeeper.axes().data().without(array.getShape())));
    labels.forEach(array -> all.add(bookKeeper.axes().labels().without(array.getShape())));
    return all;
  }

  @SuppressWarnings("try") // What passes leave is put back when the trial is closed.
  private void settleCuts(NDManager parent, NDList data, NDList labels) {
    try (NDManager manager = parent.newSubManager();
        PassState.Trial ignored = bookKeeper.state().trial()) {
      LossRun runs = new LossRun(bookKeeper, loss);
      long[] first = {0};
      bookKeeper.settleCuts(
          manager,
          runs.takeData(data, first, manager),
          runs.takeLabels(labels, first, manager),
          loss,
          (store, ownData, ownLabels) ->
              bookKeeper.model().getBlock().forward(store, ownData, ownLabels, null));
    }
  }
}
