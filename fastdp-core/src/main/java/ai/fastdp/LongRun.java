/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.fastdp.accounting.NoiseOrigin;
import org.jspecify.annotations.Nullable;

/**
 * What ties a trainer to earlier and later runs of the same plan.
 *
 * @param plan the plan in words
 * @param noise where the noise comes from
 * @param charged how many steps the ledger holds of earlier runs
 * @param saved the checkpoint to go on from; null for a new run
 * @param saver writes checkpoints; null for none
 * @param report describes the steps; null for none
 */
record LongRun(
    PlanText plan,
    NoiseOrigin noise,
    long charged,
    @Nullable SavedRun saved,
    @Nullable RunSaver saver,
    @Nullable ReportWriter report) {}
