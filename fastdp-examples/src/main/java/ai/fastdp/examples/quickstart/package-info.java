/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Three programs to begin with, each in one file: a classifier on a table, fine-tuning that
 * continues after an interruption, and a model with a layer rule of its own.
 *
 * <p>The other packages are larger programs with a command line.
 */
@NullMarked
package ai.fastdp.examples.quickstart;

import org.jspecify.annotations.NullMarked;
