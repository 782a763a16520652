/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Normal tails, roots, minima and argument checks. Only {@code ai.fastdp.accounting} uses this
 * package; it may change at any time.
 */
@NullMarked
package ai.fastdp.accounting.internal.numeric;

import org.jspecify.annotations.NullMarked;
