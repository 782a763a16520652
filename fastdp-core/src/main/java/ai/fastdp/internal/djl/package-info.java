/* SPDX-License-Identifier: Apache-2.0 */
/** Reads what DJL keeps private, in one place to check when DJL changes. */
@NullMarked
package ai.fastdp.internal.djl;

import org.jspecify.annotations.NullMarked;
