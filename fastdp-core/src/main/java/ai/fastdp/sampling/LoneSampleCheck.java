/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.Batch;
import ai.fastdp.internal.hook.SampleAxis;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.stream.IntStream;

/**
 * Checks that a sample's arrays come from its record alone: samples that are loaded again, some as
 * batches of one and all in random halves of their batch, must have the shapes and the values that
 * they have in their batch.
 *
 * <p>The first batch with two samples is looked at, the second, fourth, eighth ..., any that is
 * larger than all before and any with other axes. A difference is an error only if both loads are
 * the same every time: random augmentation gives other values and is not accused. Of an array that
 * is random shapes alone are compared; what makes batches of it is held by {@link SampleBySample}.
 */
final class LoneSampleCheck {
  private static final int AT_FIRST = 4;
  private static final int LATER = 2;
  private static final int REPEATS = 8;

  private final SampleLoader loader;
  private final NDManager parent;
  private final SampleAxis dataAxis;
  private final SampleAxis labelAxis;
  private final SecureRandom random = new SecureRandom();
  private final Set<List<Shape>> shapes = new HashSet<>();
  private boolean pending = true;
  // By their places: data first, then labels.
  private final Set<Integer> randomArrays = new HashSet<>();
  private long batches;
  private long largest;

  LoneSampleCheck(
      SampleLoader loader, NDManager parent, SampleAxis dataAxis, SampleAxis labelAxis) {
    this.loader = loader;
    this.parent = parent;
    this.dataAxis = dataAxis;
    this.labelAxis = labelAxis;
  }

  /**
   * Looks at a batch if it is due.
   *
   * @param indices the samples of the batch
   * @throws IllegalStateException if a sample's arrays depend on the rest of its batch
   */
  void look(List<Long> indices, Batch batch) {
    batches++;
    boolean powerOfTwo = (batches & (batches - 1)) == 0;
    boolean newShape = shapes.add(axes(batch));
    boolean larger = indices.size() > largest;
    largest = Math.max(largest, indices.size());
    if (indices.size() < 2 || !(pending || powerOfTwo || newShape || larger)) {
      return;
    }
    List<Integer> rows = new ArrayList<>(IntStream.range(0, indices.size()).boxed().toList());
    Collections.shuffle(rows, random);
    int half = rows.size() / 2;
    List<List<Integer>> groups = new ArrayList<>();
    rows.subList(0, Math.min(rows.size(), pending ? AT_FIRST : LATER))
        .forEach(row -> groups.add(List.of(row)));
    if (half > 1) {
      groups.add(rows.subList(0, half));
      groups.add(rows.subList(half, rows.size()));
    }
    for (List<Integer> group : groups) {
      if (!isSame(batch, group, indices)) {
        requireChance(indices, group);
      }
    }
    pending = false;
  }

  private List<Shape> axes(Batch batch) {
    List<Shape> all = new ArrayList<>();
    batch.getData().forEach(array -> all.add(dataAxis.without(array.getShape())));
    batch.getLabels().forEach(array -> all.add(labelAxis.without(array.getShape())));
    return all;
  }

  /** Whether rows of a batch are what the samples are in a batch of their own. */
  private boolean isSame(Batch batch, List<Integer> rows, List<Long> indices) {
    try (NDManager manager = parent.newSubManager();
        Batch apart = together(manager, at(rows, indices))) {
      return matches(rows(batch, rows), all(apart)).stream().allMatch(Match.SAME::equals);
    }
  }

  private static List<Long> at(List<Integer> rows, List<Long> indices) {
    return rows.stream().map(indices::get).toList();
  }

  private NDList all(Batch batch) {
    NDList all = new NDList();
    batch.getData().forEach(array -> all.add(dataAxis.toFirst(array)));
    batch.getLabels().forEach(array -> all.add(labelAxis.toFirst(array)));
    return all;
  }

  /** The arrays of some samples, which are on the first axis. */
  private NDList rows(Batch batch, List<Integer> rows) {
    NDList selected = new NDList();
    for (NDArray array : all(batch)) {
      NDArray places =
          array.getManager().create(rows.stream().mapToLong(Integer::longValue).toArray());
      selected.add(array.get(new NDIndex("{}", places)));
    }
    return selected;
  }

  private List<Match> matches(NDList one, NDList other) {
    if (one.size() != other.size()) {
      return List.of(Match.OTHER_SHAPE);
    }
    List<Match> matches = new ArrayList<>();
    for (int k = 0; k < one.size(); k++) {
      Match match = Match.of(one.get(k), other.get(k));
      boolean expected = match == Match.OTHER_VALUES && randomArrays.contains(k);
      matches.add(expected ? Match.SAME : match);
    }
    return matches;
  }

  /** Throws, unless the loads differ by chance. */
  private void requireChance(List<Long> indices, List<Integer> rows) {
    try (NDManager manager = parent.newSubManager()) {
      NDList inBatch = rows(load(manager, indices), rows);
      NDList apart = all(together(manager, at(rows, indices)));
      List<Match> matches = matches(inBatch, apart);
      for (int k = 0; k < matches.size(); k++) {
        Match match = matches.get(k);
        if (match == Match.SAME) {
          continue;
        }
        // What is loaded faster first.
        List<Integer> own = IntStream.range(0, rows.size()).boxed().toList();
        boolean steady =
            isSteady(manager, match, k, apart, at(rows, indices), own, this::together)
                && isSteady(manager, match, k, inBatch, indices, rows, this::load);
        if (steady) {
          throw match.refusal("data and labels");
        }
        if (match == Match.OTHER_VALUES) {
          randomArrays.add(k);
        }
      }
    }
  }

  /** Whether an array is as far as it matters the same each time that a batch is loaded. */
  private boolean isSteady(
      NDManager parent,
      Match match,
      int k,
      NDList first,
      List<Long> indices,
      List<Integer> rows,
      BiFunction<NDManager, List<Long>, Batch> loading) {
    for (int i = 1; i < REPEATS; i++) {
      try (NDManager manager = parent.newSubManager();
          Batch batch = loading.apply(manager, indices)) {
        NDList again = rows(batch, rows);
        Match same =
            again.size() == first.size() && k < first.size()
                ? Match.of(first.get(k), again.get(k))
                : Match.OTHER_SHAPE;
        if (same == Match.OTHER_SHAPE || (same == Match.OTHER_VALUES && match == same)) {
          return false;
        }
      }
    }
    return true;
  }

  private Batch load(NDManager manager, List<Long> indices) {
    return loader.loadAgain(manager, indices, true);
  }

  private Batch together(NDManager manager, List<Long> indices) {
    return loader.loadAgain(manager, indices, false);
  }
}
