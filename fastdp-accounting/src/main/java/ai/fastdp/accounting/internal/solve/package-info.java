/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Methods that compose privacy losses. Only {@code ai.fastdp.accounting} uses this package; it may
 * change at any time.
 */
@NullMarked
package ai.fastdp.accounting.internal.solve;

import org.jspecify.annotations.NullMarked;
