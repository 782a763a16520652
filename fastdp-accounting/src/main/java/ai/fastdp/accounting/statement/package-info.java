/* SPDX-License-Identifier: Apache-2.0 */
/** Claims about the privacy of a run, and the assumptions that they rest on. */
@NullMarked
package ai.fastdp.accounting.statement;

import org.jspecify.annotations.NullMarked;
