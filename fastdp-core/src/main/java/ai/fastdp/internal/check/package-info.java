/* SPDX-License-Identifier: Apache-2.0 */
/** Checks of the engine against the user's model, loss and data. */
@NullMarked
package ai.fastdp.internal.check;

import org.jspecify.annotations.NullMarked;
