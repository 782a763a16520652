/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.event;

import ai.fastdp.accounting.internal.numeric.Require;
import java.util.Objects;

/**
 * An event run on a uniformly random subset of fixed size, drawn without replacement and
 * independently of all other events.
 *
 * <p>This is not an epoch over a shuffled data set, whose batches depend on each other. The number
 * of records is the same in neighbouring data sets, so only {@link NeighboringRelation#REPLACE_ONE}
 * has a rule.
 *
 * @param batchSize number of records in the subset, at least 0
 * @param datasetSize number of records in the data set, public; at least {@code batchSize} and 1
 * @param event the event that runs on the subset
 */
public record SampledWithoutReplacementEvent(long batchSize, long datasetSize, DpEvent event)
    implements DpEvent {

  /**
   * Checks the sizes.
   *
   * @param batchSize as described above
   * @param datasetSize as described above
   * @param event as described above
   * @throws IllegalArgumentException unless 0 &lt;= batchSize &lt;= datasetSize and datasetSize
   *     &gt;= 1
   */
  public SampledWithoutReplacementEvent {
    Objects.requireNonNull(event, "event");
    Require.nonNegative("batchSize", batchSize);
    if (datasetSize < 1 || datasetSize < batchSize) {
      throw new IllegalArgumentException(
          "datasetSize must be >= 1 and >= batchSize " + batchSize + ", got " + datasetSize);
    }
  }

  /** {@return the probability with which a record takes part} */
  public double sampleRate() {
    return (double) batchSize / datasetSize;
  }

  @Override
  public <R> R accept(Visitor<R> visitor) {
    return visitor.visit(this);
  }
}
