/* SPDX-License-Identifier: Apache-2.0 */
/** Root of fastdp-optim. */
@NullMarked
package ai.fastdp.optim;

import org.jspecify.annotations.NullMarked;
