/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Descriptions of what mechanisms do to the data: releases, sampling and composition, and the
 * relation between neighboring data sets. Accountants read them, ledgers write them.
 */
@NullMarked
package ai.fastdp.accounting.event;

import org.jspecify.annotations.NullMarked;
