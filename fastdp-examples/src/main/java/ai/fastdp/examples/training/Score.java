/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.training;

import org.jspecify.annotations.Nullable;

/**
 * How good a model is on the held-out samples.
 *
 * @param loss the mean loss, in nats
 * @param accuracy the fraction of right classes; null where there are no classes
 */
public record Score(double loss, @Nullable Double accuracy) {}
