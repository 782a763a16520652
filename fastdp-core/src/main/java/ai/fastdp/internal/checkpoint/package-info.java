/* SPDX-License-Identifier: Apache-2.0 */
/** Files that hold arrays and are either whole or not there. */
@NullMarked
package ai.fastdp.internal.checkpoint;

import org.jspecify.annotations.NullMarked;
