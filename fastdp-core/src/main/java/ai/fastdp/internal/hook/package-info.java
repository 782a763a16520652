/* SPDX-License-Identifier: Apache-2.0 */
/** Watches the layers of a DJL model during a forward pass without changing the model's code. */
@NullMarked
package ai.fastdp.internal.hook;

import org.jspecify.annotations.NullMarked;
