/* SPDX-License-Identifier: Apache-2.0 */
/** Reads, compares and puts back what the Java objects that a model reaches hold. */
@NullMarked
package ai.fastdp.internal.state;

import org.jspecify.annotations.NullMarked;
