/* SPDX-License-Identifier: Apache-2.0 */
/** Root of fastdp-examples. */
@NullMarked
package ai.fastdp.examples;

import org.jspecify.annotations.NullMarked;
