/* SPDX-License-Identifier: Apache-2.0 */
/** The accountants on the command line. */
@NullMarked
package ai.fastdp.accounting.cli;

import org.jspecify.annotations.NullMarked;
