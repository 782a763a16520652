/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.loss;

/**
 * What one method says about delta at one epsilon.
 *
 * @param lower a lower bound; may be negative
 * @param estimate the value
 * @param upper an upper bound
 */
public record DeltaBracket(double lower, double estimate, double upper) {}
