/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

import ai.djl.Device;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.translate.Batchifier;
import ai.djl.translate.PaddingStackBatchifier;
import ai.djl.translate.Pipeline;
import ai.fastdp.djl.HiddenField;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Reads what DJL's data sets and batchifiers keep to themselves. */
record DatasetParts(RandomAccessDataset dataset) {
  /**
   * Checks that no sampler of the user's own is expected to choose the samples.
   *
   * @throws IllegalArgumentException if the data set was built with one
   */
  static void requireDjlsSampler(RandomAccessDataset dataset) {
    Object sampler = read(RandomAccessDataset.class, dataset, "sampler");
    if (sampler != null && !sampler.getClass().getName().startsWith("ai.djl.")) {
      throw new IllegalArgumentException(
          "sampler of the data set must be one of DJL's, which Poisson sampling replaces, got "
              + sampler.getClass().getName()
              + ", whose choice of samples would not be followed; leave it out: the guarantee holds"
              + " for samples that each enter a batch with the plan's sample rate");
    }
  }

  Batchifier dataBatchifier() {
    return (Batchifier) required(RandomAccessDataset.class, dataset, "dataBatchifier");
  }

  Batchifier labelBatchifier() {
    return (Batchifier) required(RandomAccessDataset.class, dataset, "labelBatchifier");
  }

  @Nullable Pipeline pipeline() {
    return (Pipeline) read(RandomAccessDataset.class, dataset, "pipeline");
  }

  @Nullable Pipeline targetPipeline() {
    return (Pipeline) read(RandomAccessDataset.class, dataset, "targetPipeline");
  }

  int prefetchNumber() {
    return (Integer) required(RandomAccessDataset.class, dataset, "prefetchNumber");
  }

  @Nullable Device device() {
    return (Device) read(RandomAccessDataset.class, dataset, "device");
  }

  /** The arrays that a batchifier pads, and beside each the axis that it pads. */
  static List<List<Integer>> padded(PaddingStackBatchifier batchifier) {
    return List.of(numbers(batchifier, "arraysToPad"), numbers(batchifier, "dimsToPad"));
  }

  /** The lengths to which a batchifier pads at least; -1 for the longest of the batch. */
  static List<Integer> leastLengths(PaddingStackBatchifier batchifier) {
    return numbers(batchifier, "paddingSizes");
  }

  private static List<Integer> numbers(PaddingStackBatchifier batchifier, String name) {
    List<?> numbers = (List<?>) required(PaddingStackBatchifier.class, batchifier, name);
    return numbers.stream().map(Integer.class::cast).toList();
  }

  private static Object required(Class<?> owner, Object object, String name) {
    Object value = read(owner, object, name);
    if (value == null) {
      throw new IllegalArgumentException(
          name + " of " + object.getClass().getName() + " must be set, got none");
    }
    return value;
  }

  private static @Nullable Object read(Class<?> owner, Object object, String name) {
    return HiddenField.of(owner, name).read(object);
  }
}
