/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.translate.Batchifier;
import ai.djl.translate.PaddingStackBatchifier;
import ai.djl.translate.Pipeline;
import ai.fastdp.internal.djl.HiddenField;
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

  /**
   * Whether DJL's own code selects the records of a batch: not so if the class, or that of the data
   * set of which it is a part, overrides {@code getByIndices}.
   */
  static boolean selectsByDjlsCode(ArrayDataset dataset) {
    Class<?> type = dataset.getClass();
    if (type.getName().equals(ArrayDataset.class.getName() + "$SubDataset")) {
      return selectsByDjlsCode((ArrayDataset) required(type, dataset, "dataset"));
    }
    try {
      return type.getMethod("getByIndices", NDManager.class, long[].class).getDeclaringClass()
          == ArrayDataset.class;
    } catch (NoSuchMethodException e) {
      throw new LinkageError("this version of DJL loads data sets differently", e);
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
          name
              + " of "
              + object.getClass().getName()
              + " must be set, got none; set it on the data set's builder");
    }
    return value;
  }

  private static @Nullable Object read(Class<?> owner, Object object, String name) {
    return HiddenField.of(owner, name).read(object);
  }
}
