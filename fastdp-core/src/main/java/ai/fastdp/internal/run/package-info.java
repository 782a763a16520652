/* SPDX-License-Identifier: Apache-2.0 */
/** What a run has charged, released, saved and reported. */
@NullMarked
package ai.fastdp.internal.run;

import org.jspecify.annotations.NullMarked;
