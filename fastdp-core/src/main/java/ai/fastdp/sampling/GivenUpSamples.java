/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
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
  private final List<Sample> samples = new ArrayList<>();

  private record Sample(long datasetSize, long[] indices) {}

  /** Creates an empty collection. */
  public GivenUpSamples() {}

  /** Keeps the sample of a step that was given up. */
  synchronized void keep(long datasetSize, long[] indices) {
    samples.add(new Sample(datasetSize, indices.clone()));
  }

  /** Hands out the oldest sample of a data set of this size, once; null if there is none. */
  synchronized long @Nullable [] take(long datasetSize) {
    for (Iterator<Sample> each = samples.iterator(); each.hasNext(); ) {
      Sample sample = each.next();
      if (sample.datasetSize() == datasetSize) {
        each.remove();
        return sample.indices();
      }
    }
    return null;
  }
}
