/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.plan;

import ai.fastdp.accounting.event.DpEvent;

/**
 * What one logical step uses. The clipper takes the bound from here, the mechanism sensitivity and
 * noise multiplier, the ledger the event; {@link PrivacyPlan#step} alone makes it.
 *
 * @param contributionBound what samples are clipped to: the step's clip norm, less the share of it
 *     that covers the rounding of discrete noise
 * @param sensitivity S of the clipped sum, rounding included
 * @param noiseMultiplier the gradients' noise has standard deviation noiseMultiplier * S
 * @param event what the step releases
 */
public record StepPlan(
    double contributionBound, double sensitivity, double noiseMultiplier, DpEvent event) {}
