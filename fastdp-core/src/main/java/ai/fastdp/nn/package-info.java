/* SPDX-License-Identifier: Apache-2.0 */
/** Blocks that DJL lacks and that private training understands. */
@NullMarked
package ai.fastdp.nn;

import org.jspecify.annotations.NullMarked;
