/* SPDX-License-Identifier: Apache-2.0 */
/** Optimizers that take privatized gradients and nothing else. */
@NullMarked
package ai.fastdp.optim;

import org.jspecify.annotations.NullMarked;
