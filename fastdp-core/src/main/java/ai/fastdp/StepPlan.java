/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.fastdp.accounting.event.DpEvent;

/**
 * What one logical step uses. The clipper takes the clip norm from here, the mechanism sensitivity
 * and noise multiplier, the ledger the event; {@link PrivacyPlan#step} alone makes it.
 *
 * @param clipNorm R of the whole contribution, less what is left for rounding
 * @param sensitivity S of the clipped sum, rounding included
 * @param noiseMultiplier the gradients' noise has standard deviation noiseMultiplier * S
 * @param event what the step releases
 */
record StepPlan(double clipNorm, double sensitivity, double noiseMultiplier, DpEvent event) {}
