/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Per-sample gradients in factored form: their norms and weighted sums without forming them.
 *
 * <p>The book-keeping algorithm of Bu et al. (arXiv 2210.00038): activations and output gradients
 * of one forward and one backward pass are kept, per-sample norms are computed from them, and the
 * clipped sums are formed from the same factors, so that there is no second backward pass.
 */
@NullMarked
package ai.fastdp.internal.ghost;

import org.jspecify.annotations.NullMarked;
