/* SPDX-License-Identifier: Apache-2.0 */
/** Calls into the whole of PyTorch's operator set from plain Java, through TorchScript text. */
@NullMarked
package ai.fastdp.kernel;

import org.jspecify.annotations.NullMarked;
