/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Privacy events, accountants, budgets and noise calibration; free of any deep learning library.
 */
@NullMarked
package ai.fastdp.accounting;

import org.jspecify.annotations.NullMarked;
