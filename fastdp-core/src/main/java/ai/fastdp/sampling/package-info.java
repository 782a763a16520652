/* SPDX-License-Identifier: Apache-2.0 */
/** Poisson sampling of logical batches and their physical micro-batches. */
@NullMarked
package ai.fastdp.sampling;

import org.jspecify.annotations.NullMarked;
