/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What the examples have in common: their options, training with and without privacy, and the
 * report. The models and the data are each example's own.
 */
@NullMarked
package ai.fastdp.examples.training;

import org.jspecify.annotations.NullMarked;
