/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

import java.util.TreeMap;

/**
 * The samples of a run's logical batches, each drawn once and kept until its step is complete.
 *
 * <p>A loop that breaks off and asks for its batches again gets the same samples again. Were they
 * drawn anew, batches could be chosen by what is in them, by an exception on large ones, say, and
 * the chosen ones would be no Poisson sample.
 */
public final class DrawnSamples {
  private final PoissonSampler sampler;
  private final TreeMap<Long, long[]> kept = new TreeMap<>();
  private long size = -1;
  private boolean used;

  /**
   * Creates the samples of a run, of which none is drawn.
   *
   * @param sampler draws a logical batch
   */
  public DrawnSamples(PoissonSampler sampler) {
    this.sampler = sampler;
  }

  /** Whether this is the first call: nothing of the run has been loaded yet. */
  synchronized boolean isFirstUse() {
    boolean first = !used;
    used = true;
    return first;
  }

  /**
   * The sample of a step, drawn when it is first asked for.
   *
   * @param step the step's number, from 1
   * @param datasetSize the number of samples in the data set
   * @return the indices of the samples, in ascending order
   * @throws IllegalStateException if samples are kept that were drawn from a data set of another
   *     size
   */
  public synchronized long[] of(long step, long datasetSize) {
    if (!kept.isEmpty() && datasetSize != size) {
      throw new IllegalStateException(
          "data set must be the one from which the unfinished step's batch was drawn, got one of"
              + " another size; finish the step with the same data set");
    }
    size = datasetSize;
    return kept.computeIfAbsent(step, number -> sampler.sample(number, datasetSize)).clone();
  }

  /**
   * Forgets the samples of steps that are complete.
   *
   * @param step the newest complete step
   */
  public synchronized void complete(long step) {
    kept.headMap(step, true).clear();
  }
}
