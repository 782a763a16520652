/* SPDX-License-Identifier: Apache-2.0 */
/** Noise multipliers, steps and sample rates that keep within a budget. */
@NullMarked
package ai.fastdp.accounting.calibration;

import org.jspecify.annotations.NullMarked;
