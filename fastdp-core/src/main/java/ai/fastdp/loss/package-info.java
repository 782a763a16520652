/* SPDX-License-Identifier: Apache-2.0 */
/** Losses of single samples. */
@NullMarked
package ai.fastdp.loss;

import org.jspecify.annotations.NullMarked;
