/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.Batch;
import ai.djl.translate.TranslateException;
import ai.fastdp.hook.SampleAxis;
import ai.fastdp.kernel.FloatType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * Checks that a sample's arrays come from its record alone: a sample that is loaded as a batch of
 * one, on the data set's own path, must have the shape and the values that it has in its batch.
 *
 * <p>Four random samples of the first batch with two are loaded again, and two of the second,
 * fourth, eighth ... batch, of any that is larger than all before and of any with other axes. A
 * difference is an error only if both loads are the same every time: a pipeline with random
 * augmentation gives other values and is not accused. Of such a data set shapes alone are compared.
 */
final class LoneSampleCheck {
  private static final int AT_FIRST = 4;
  private static final int LATER = 2;
  private static final int REPEATS = 8;
  // A pipeline that works on batches may round otherwise on one sample.
  private static final float ROUNDING = 1e-6f;

  private final SampleLoader loader;
  private final NDManager parent;
  private final SampleAxis dataAxis;
  private final SampleAxis labelAxis;
  private final SecureRandom random = new SecureRandom();
  private final Set<List<Shape>> shapes = new HashSet<>();
  private boolean pending = true;
  private boolean randomValues;
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
    for (int row : rows.subList(0, Math.min(rows.size(), pending ? AT_FIRST : LATER))) {
      if (!isSame(batch, row, indices)) {
        requireChance(indices, row);
      }
    }
    pending = false;
  }

  private List<Shape> axes(Batch batch) {
    List<Shape> all = new ArrayList<>();
    batch.getData().forEach(array -> all.add(without(array.getShape(), dataAxis)));
    batch.getLabels().forEach(array -> all.add(without(array.getShape(), labelAxis)));
    return all;
  }

  private static Shape without(Shape shape, SampleAxis axis) {
    return shape.slice(0, axis.number()).addAll(shape.slice(axis.number() + 1));
  }

  /** Whether a row of a batch is what the sample is alone. */
  private boolean isSame(Batch batch, int row, List<Long> indices) {
    try (NDManager manager = parent.newSubManager();
        Batch alone = load(manager, List.of(indices.get(row)))) {
      Match match = compare(manager, sample(batch, row), sample(alone, 0));
      return match == Match.SAME || (randomValues && match == Match.OTHER_VALUES);
    }
  }

  private record Sample(NDList data, NDList labels) {}

  private enum Match {
    SAME,
    OTHER_VALUES,
    OTHER_SHAPE
  }

  private Sample sample(Batch batch, int row) {
    return new Sample(
        rows(batch.getData(), dataAxis, row), rows(batch.getLabels(), labelAxis, row));
  }

  private static NDList rows(NDList list, SampleAxis axis, int row) {
    NDList rows = new NDList();
    list.forEach(array -> rows.add(axis.slice(array, row, row + 1L)));
    return rows;
  }

  /** Throws, unless the loads differ by chance. */
  private void requireChance(List<Long> indices, int row) {
    try (NDManager manager = parent.newSubManager()) {
      Sample inBatch = sample(load(manager, indices), row);
      Sample alone = sample(load(manager, List.of(indices.get(row))), 0);
      Match match = compare(manager, inBatch, alone);
      if (match == Match.SAME) {
        return;
      }
      // What is loaded faster first.
      boolean steady =
          isSteady(manager, match, alone, List.of(indices.get(row)), 0)
              && isSteady(manager, match, inBatch, indices, row);
      if (!steady) {
        randomValues |= match == Match.OTHER_VALUES;
        return;
      }
      throw new IllegalStateException(
          "a sample's data and labels must depend on its own record alone, got "
              + (match == Match.OTHER_SHAPE ? "another shape" : "other values")
              + " alone than in its batch; pad to a fixed, public length (see"
              + " PrivacyEngine.Builder.optPadTo), and have batchifiers and pipelines use public"
              + " constants in place of statistics of the batch");
    }
  }

  /** Whether a sample is as far as it matters the same each time that a batch is loaded. */
  private boolean isSteady(
      NDManager parent, Match match, Sample sample, List<Long> indices, int row) {
    for (int i = 1; i < REPEATS; i++) {
      try (NDManager manager = parent.newSubManager();
          Batch again = load(manager, indices)) {
        Match same = compare(manager, sample, sample(again, row));
        if (same == Match.OTHER_SHAPE || (same == Match.OTHER_VALUES && match == same)) {
          return false;
        }
      }
    }
    return true;
  }

  private Batch load(NDManager manager, List<Long> indices) {
    try {
      return loader.load(manager, indices);
    } catch (IOException e) {
      throw new UncheckedIOException("loading samples again failed", e);
    } catch (TranslateException e) {
      throw new IllegalStateException("loading samples again failed", e);
    }
  }

  private static Match compare(NDManager manager, Sample one, Sample other) {
    Match data = compare(manager, one.data(), other.data());
    Match labels = compare(manager, one.labels(), other.labels());
    return data.compareTo(labels) > 0 ? data : labels;
  }

  private static Match compare(NDManager manager, NDList one, NDList other) {
    if (one.size() != other.size()) {
      return Match.OTHER_SHAPE;
    }
    Match worst = Match.SAME;
    for (int k = 0; k < one.size(); k++) {
      if (!one.get(k).getShape().equals(other.get(k).getShape())) {
        return Match.OTHER_SHAPE;
      }
      if (!isSame(manager, one.get(k), other.get(k))) {
        worst = Match.OTHER_VALUES;
      }
    }
    return worst;
  }

  private static boolean isSame(NDManager parent, NDArray one, NDArray other) {
    if (one.getDataType() != other.getDataType()) {
      return false;
    }
    try (NDManager manager = parent.newSubManager()) {
      NDArray a = FloatType.readable(one);
      NDArray b = FloatType.readable(other).toDevice(a.getDevice(), false);
      NDArray same = a.eq(b);
      NDArray rest = same.logicalNot();
      List.of(same, rest).forEach(array -> array.attach(manager));
      if (!FloatType.isFloat(one) || !rest.any().getBoolean()) {
        return !rest.any().getBoolean();
      }
      NDArray bothBroken = a.neq(a).logicalAnd(b.neq(b));
      NDArray close = a.sub(b).abs().lte(a.abs().maximum(b.abs()).max().mul(ROUNDING));
      return same.logicalOr(bothBroken).logicalOr(close).all().getBoolean();
    }
  }
}
