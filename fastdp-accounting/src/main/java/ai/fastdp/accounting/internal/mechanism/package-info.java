/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The normal form of events. Only {@code ai.fastdp.accounting} uses this package; it may change at
 * any time.
 */
@NullMarked
package ai.fastdp.accounting.internal.mechanism;

import org.jspecify.annotations.NullMarked;
