/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Rules for layers of one's own: what a rule sees of a layer's use, and the contributions to
 * per-sample gradients that it adds.
 */
@NullMarked
package ai.fastdp.rule;

import org.jspecify.annotations.NullMarked;
