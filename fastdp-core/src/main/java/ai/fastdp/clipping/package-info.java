/* SPDX-License-Identifier: Apache-2.0 */
/** How per-sample norms become per-sample factors: the functions and the grouping of parameters. */
@NullMarked
package ai.fastdp.clipping;

import org.jspecify.annotations.NullMarked;
