/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Programs that train privately.
 *
 * <ul>
 *   <li>{@code quickstart}: three programs of one file each, to read and to copy from
 *   <li>{@code gpt2} and {@code resnet}: applications with a command line, files, checkpoints and
 *       reports, started by {@link ai.fastdp.examples.Main}; {@code training} is what they share
 * </ul>
 */
@NullMarked
package ai.fastdp.examples;

import org.jspecify.annotations.NullMarked;
