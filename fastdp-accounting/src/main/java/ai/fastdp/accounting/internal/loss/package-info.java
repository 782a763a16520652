/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Dominating pairs of distributions, seen through their privacy losses. Only {@code
 * ai.fastdp.accounting} uses this package; it may change at any time.
 */
@NullMarked
package ai.fastdp.accounting.internal.loss;

import org.jspecify.annotations.NullMarked;
