/* SPDX-License-Identifier: Apache-2.0 */
/**
 * From events to guarantees: Renyi, Gaussian and f-differential privacy, the bounds that they
 * return, and trade-off functions. Free of any deep learning library.
 *
 * <p>Events are in {@link ai.fastdp.accounting.event}, the noise that a budget needs in {@link
 * ai.fastdp.accounting.calibration}, records of what was spent in {@link
 * ai.fastdp.accounting.ledger}, and what may be claimed in the end in {@link
 * ai.fastdp.accounting.statement}.
 */
@NullMarked
package ai.fastdp.accounting.accountant;

import org.jspecify.annotations.NullMarked;
