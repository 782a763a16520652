/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The samples of logical batches that were given up before any of them was trained, and not paid
 * for.
 *
 * <p>The next run begins with them. If it drew anew, a batch could be chosen by what is in it: one
 * on which the model or the data set fails would be dropped for nothing. Safe for use by several
 * threads.
 */
public final class GivenUpSamples {
  // By the size of the data set that they were drawn from, in the order in which they were given
  // up.
  private final Map<Long, Deque<long[]>> samples = new HashMap<>();

  /** Creates an empty collection. */
  public GivenUpSamples() {}

  /** Keeps the sample of a step that was given up. */
  synchronized void keep(long datasetSize, long[] indices) {
    samples.computeIfAbsent(datasetSize, size -> new ArrayDeque<>()).add(indices.clone());
  }

  /** Hands out the oldest sample of a data set of this size, once; null if there is none. */
  synchronized long @Nullable [] take(long datasetSize) {
    Deque<long[]> ofSize = samples.get(datasetSize);
    return ofSize == null ? null : ofSize.poll();
  }
}
