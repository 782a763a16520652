/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import org.jspecify.annotations.Nullable;

/**
 * What ties a trainer to earlier and later runs of the same plan.
 *
 * @param charged how many steps the ledger holds of earlier runs
 * @param saved the checkpoint to go on from; null for a new run
 * @param saver writes checkpoints; null for none
 * @param report describes the steps; null for none
 */
record LongRun(
    long charged,
    @Nullable SavedRun saved,
    @Nullable RunSaver saver,
    @Nullable ReportWriter report) {}
