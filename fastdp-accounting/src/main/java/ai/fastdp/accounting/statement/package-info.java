/* SPDX-License-Identifier: Apache-2.0 */
/** What may be claimed of a run, and what it rests on. */
@NullMarked
package ai.fastdp.accounting.statement;

import org.jspecify.annotations.NullMarked;
