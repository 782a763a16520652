/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.RandomAccessDataset;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * Checks that a data set, its pipelines and its batchifiers keep nothing from a record that another
 * record's arrays show: a scale taken from the first record, a running maximum, a buffer that is
 * handed out again.
 *
 * <p>A record is loaded after some other records, and after as many others. Where its arrays
 * differ, both are done again and again in a random order. Random augmentation is not related to
 * that order and is not accused. Before anything is loaded for training, what {@link JavaState}
 * sees is put back before each try, so that what is set once is seen, too. Counters move alike in
 * both tries.
 */
final class RecordMemoryCheck {
  private static final int PAIRS = 4;
  private static final int AFTER_EACH = 10;
  private static final int CONFIRMATIONS = 2;
  private static final long MOST_COMPANIONS = 2;

  private final SampleLoader loader;
  private final RandomAccessDataset dataset;
  private final NDManager parent;
  private final SecureRandom random = new SecureRandom();

  RecordMemoryCheck(SampleLoader loader, RandomAccessDataset dataset, NDManager parent) {
    this.loader = loader;
    this.dataset = dataset;
    this.parent = parent;
  }

  /** A record, and two groups of others after which it is loaded. */
  private record Experiment(long probe, List<Long> some, List<Long> others) {}

  /**
   * Looks at what is set by the first records; nothing may be loaded meanwhile.
   *
   * @throws DependentSampleException if a record's arrays depend on those loaded before
   */
  void beforeTheFirst() {
    JavaState fresh = JavaState.of(dataset);
    try {
      for (int i = 0; i < PAIRS; i++) {
        look(fresh::putBack);
      }
    } finally {
      fresh.putBack();
    }
  }

  /**
   * Looks at what changes while records are loaded.
   *
   * @throws DependentSampleException if a record's arrays depend on those loaded before
   */
  void later() {
    look(() -> {});
  }

  private void look(Runnable start) {
    long size = dataset.size();
    int companions = (int) Math.min(MOST_COMPANIONS, (size - 1) / 2);
    if (companions < 1) {
      return;
    }
    List<Long> records =
        random.longs(0, size).distinct().limit(1 + 2L * companions).boxed().toList();
    Experiment experiment =
        new Experiment(
            records.get(0),
            records.subList(1, 1 + companions),
            records.subList(1 + companions, records.size()));
    List<double[]> once = List.of(after(experiment, true, start), after(experiment, false, start));
    if (!Arrays.equals(once.get(0), once.get(1))) {
      for (int i = 0; i < CONFIRMATIONS; i++) {
        if (!isRelated(experiment, start)) {
          return;
        }
      }
      throw new DependentSampleException(
          "data and labels of "
              + dataset.getClass().getName()
              + " must depend for each sample on its own record alone, got values that depend on the"
              + " records loaded before; keep nothing of a record in a data set, a transform or a"
              + " batchifier, and take scales and statistics from public data");
    }
  }

  /** Whether what a record's arrays hold tells after which others it was loaded, every time. */
  private boolean isRelated(Experiment experiment, Runnable start) {
    List<Boolean> order = new ArrayList<>();
    for (int i = 0; i < 2 * AFTER_EACH; i++) {
      order.add(i % 2 == 0);
    }
    Collections.shuffle(order, random);
    List<double[]> first = new ArrayList<>();
    List<double[]> second = new ArrayList<>();
    for (boolean some : order) {
      (some ? first : second).add(after(experiment, some, start));
    }
    int features = first.get(0).length;
    for (int k = 0; k < features; k++) {
      if (lieApart(first, second, k) || lieApart(second, first, k)) {
        return true;
      }
    }
    return false;
  }

  private static boolean lieApart(List<double[]> low, List<double[]> high, int feature) {
    double top = Double.NEGATIVE_INFINITY;
    for (double[] features : low) {
      top = feature < features.length ? Math.max(top, features[feature]) : Double.NaN;
    }
    for (double[] features : high) {
      if (feature >= features.length || !(features[feature] > top)) {
        return false;
      }
    }
    return true;
  }

  /** Numbers that tell what a record's arrays hold, after some other records were loaded. */
  private double[] after(Experiment experiment, boolean some, Runnable start) {
    start.run();
    try (NDManager manager = parent.newSubManager()) {
      for (long other : some ? experiment.some() : experiment.others()) {
        loader.loadAgain(manager, List.of(other), true);
      }
      Batch batch = loader.loadAgain(manager, List.of(experiment.probe()), true);
      NDList all = new NDList();
      all.addAll(batch.getData());
      all.addAll(batch.getLabels());
      return features(all);
    }
  }

  private static double[] features(NDList arrays) {
    List<Double> features = new ArrayList<>();
    for (NDArray array : arrays) {
      features.add((double) array.size());
      if (array.size() > 0 && array.getDataType() != DataType.STRING) {
        NDArray flat = array.toType(DataType.FLOAT64, true).flatten();
        NDArray weights =
            flat.getManager().arange((float) flat.size()).toType(DataType.FLOAT64, false);
        features.add(flat.sum().getDouble());
        features.add(flat.mul(weights.add(1).sin()).sum().getDouble());
        features.add(flat.abs().max().getDouble());
      }
    }
    return features.stream().mapToDouble(Double::doubleValue).toArray();
  }
}
