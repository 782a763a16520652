/* SPDX-License-Identifier: Apache-2.0 */
/**
 * From clipped sums to privatized gradients. A clipped sum can be read here only, and a privatized
 * gradient can be made here only.
 */
@NullMarked
package ai.fastdp.mechanism;

import org.jspecify.annotations.NullMarked;
