/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiFunction;
import java.util.function.Function;

/**
 * Applies a step of loading, such as a batchifier, to each sample alone, and joins the results: so
 * no sample's arrays can depend on another's.
 *
 * <p>A step that mixes samples would give nonsense in this way, such as zeros for a sample less the
 * mean of its batch. So the step is also applied to copies of all samples at once, and refused if
 * the result is another one. A step that gives other values each time for the same samples is
 * random, and is compared by shape alone.
 *
 * @param checked whether the results are compared
 */
record SampleBySample(boolean checked) {
  private static final int REPEATS = 8;

  /**
   * The results of a step.
   *
   * @param what the step, in errors
   * @param samples the arrays of each sample
   * @param step makes a batch of samples
   * @param axis the axis on which the step puts the samples
   * @param comparison of an array of the samples alone with that of all at once
   * @throws DependentSampleException if a sample's result alone is another one than among all
   */
  NDList apply(
      String what,
      List<NDList> samples,
      Function<List<NDList>, NDList> step,
      int axis,
      BiFunction<NDArray, NDArray, Match> comparison) {
    if (samples.size() == 1 || samples.get(0).isEmpty()) {
      return step.apply(samples);
    }
    if (!checked) {
      return alone(what, samples, step, axis);
    }
    NDManager owner = samples.get(0).head().getManager();
    // Of its own, as a thread that loads ahead may outlive the run's.
    try (NDManager manager =
        NDManager.newBaseManager(owner.getDevice(), owner.getEngine().getEngineName())) {
      // Before the step, which may write to its arguments.
      List<NDList> copies = copy(samples, manager);
      NDList result = alone(what, samples, step, axis);
      NDList alone = copy(List.of(result), manager).get(0);
      NDList together = step.apply(copy(copies, manager));
      for (int k = 0; k < Math.max(alone.size(), together.size()); k++) {
        Match match = match(alone, together, k, comparison);
        if (match != Match.SAME && isSteady(together, k, match, copies, step, manager)) {
          throw match.refusal(what);
        }
      }
      return result;
    }
  }

  private static Match match(
      NDList one, NDList other, int k, BiFunction<NDArray, NDArray, Match> comparison) {
    return one.size() == other.size()
        ? comparison.apply(one.get(k), other.get(k))
        : Match.OTHER_SHAPE;
  }

  /** Whether an array of the result is the same each time. */
  private static boolean isSteady(
      NDList together,
      int k,
      Match match,
      List<NDList> copies,
      Function<List<NDList>, NDList> step,
      NDManager manager) {
    for (int i = 1; match == Match.OTHER_VALUES && i < REPEATS; i++) {
      if (match(together, step.apply(copy(copies, manager)), k, Match::of) != Match.SAME) {
        return false;
      }
    }
    return true;
  }

  private static List<NDList> copy(List<NDList> samples, NDManager manager) {
    List<NDList> copies = new ArrayList<>();
    for (NDList sample : samples) {
      NDList copy = new NDList();
      for (NDArray array : sample) {
        NDArray duplicate = array.duplicate();
        duplicate.attach(manager);
        duplicate.setName(array.getName());
        copy.add(duplicate);
      }
      copies.add(copy);
    }
    return copies;
  }

  private static NDList alone(
      String what, List<NDList> samples, Function<List<NDList>, NDList> step, int axis) {
    List<NDList> results = new ArrayList<>();
    for (NDList sample : samples) {
      NDList result = step.apply(List.of(sample));
      result.forEach(array -> PoissonBatches.requireSamples(what, array, axis, 1));
      results.add(result);
    }
    NDList joined = join(what, results, axis);
    results.forEach(NDList::close);
    return joined;
  }

  /**
   * Batches of samples behind each other.
   *
   * @throws DependentSampleException if their shapes do not allow it
   */
  static NDList join(String what, List<NDList> batches, int axis) {
    NDList joined = new NDList();
    NDList first = batches.get(0);
    for (int k = 0; k < first.size(); k++) {
      NDList parts = new NDList();
      for (NDList batch : batches) {
        if (batch.size() != first.size()
            || !batch.get(k).getShape().equals(first.get(k).getShape())) {
          throw Match.OTHER_SHAPE.refusal(what);
        }
        parts.add(batch.get(k));
      }
      NDArray array = NDArrays.concat(parts, axis);
      array.setName(first.get(k).getName());
      joined.add(array);
    }
    return joined;
  }
}
