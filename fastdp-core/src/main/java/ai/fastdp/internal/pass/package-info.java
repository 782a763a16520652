/* SPDX-License-Identifier: Apache-2.0 */
/** One recorded forward pass and its backward pass. */
@NullMarked
package ai.fastdp.internal.pass;

import org.jspecify.annotations.NullMarked;
