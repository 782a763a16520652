/* SPDX-License-Identifier: Apache-2.0 */
/** Root of fastdp-core. */
@NullMarked
package ai.fastdp;

import org.jspecify.annotations.NullMarked;
