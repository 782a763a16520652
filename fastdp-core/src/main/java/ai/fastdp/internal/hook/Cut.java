/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

import ai.djl.ndarray.NDArray;

/**
 * A place where the graph of a recorded pass is cut: a block's output y, and the leaf \(y'\) of the
 * same values that the model used from there on.
 *
 * <p>The gradient of \(y'\) is the seed of back-propagation at y.
 *
 * @param path the block's path
 * @param output y, in the graph of what ran before the cut
 * @param leaf \(y'\), a leaf of the graphs of what ran after it
 * @param uses the number of layer uses that were recorded before the cut
 */
public record Cut(String path, NDArray output, NDArray leaf, int uses) {}
