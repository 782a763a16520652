/* SPDX-License-Identifier: Apache-2.0 */
/** Root of benchmarks. */
@NullMarked
package ai.fastdp.benchmarks;

import org.jspecify.annotations.NullMarked;
