/* SPDX-License-Identifier: Apache-2.0 */
/** One logical step: its shares, micro-batches and clipped sum. */
@NullMarked
package ai.fastdp.internal.step;

import org.jspecify.annotations.NullMarked;
