/* SPDX-License-Identifier: Apache-2.0 */
/** TorchScript kernels of book-keeping, called by typed methods. */
@NullMarked
package ai.fastdp.internal.kernel;

import org.jspecify.annotations.NullMarked;
